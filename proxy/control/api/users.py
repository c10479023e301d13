"""People who run the firewall: make, see, change, let in again, sign out."""

from __future__ import annotations

from typing import Final

from detectors.errors import OperationError
from proxy.control.access.passwords import one_time_password
from proxy.control.access.types import PLATFORM_ROLES, AdminRole, Permission
from proxy.control.answers.users import (
    MadeUser,
    NewUser,
    SessionList,
    ShownSession,
    ShownUser,
    UserChange,
    UserList,
    UserQuery,
)
from proxy.control.fields import Done
from proxy.control.operations import Call, Operation, not_found
from proxy.control.paging import next_after, number_after
from storage.accounts.users import NewUser as NewAccount
from storage.accounts.users import User
from storage.tenants.tenancy import Tenancy

_ALL: Final = "/api/v1/users"
_ONE: Final = f"{_ALL}/{{user}}"


async def _list(call: Call) -> UserList:
    query = call.asked(UserQuery)
    found = await call.parts.access.users.list(call.tenant_id, number_after(query), query.limit + 1)
    items = [_shown(user) for user in found[: query.limit]]
    return UserList(items=items, next=next_after(found, query, lambda user: user.id))


async def _create(call: Call) -> MadeUser:
    new, access = call.sent(NewUser), call.parts.access
    await take_tenant(call, new.tenant, new.role)
    password = one_time_password()
    hashed = await access.passwords.hash(password)
    user = await access.users.create(NewAccount(new.name, new.role, call.tenant_id, hashed, must_change=True))
    call.note(user.name, after={"role": user.role, "tenant": user.tenant})
    return MadeUser(user=_shown(user), one_time_password=password)


async def _read(call: Call) -> ShownUser:
    return _shown(await _find(call))


async def _change(call: Call) -> ShownUser:
    change, user, access = call.sent(UserChange), await _find(call), call.parts.access
    _insist_on_other(call, user)
    if change.role is not None:
        _insist_on_own_password(user)
        _insist_on_fit(change.role, user.tenant)
    await access.users.change(user.id, role=change.role, enabled=change.enabled)
    if change.enabled is False:
        await access.sessions.end_all(user.id, "the account was disabled")
    changes = change.model_dump(mode="json", exclude_none=True)
    call.note(user.name, before={name: getattr(user, name) for name in changes}, after=changes)
    return _shown(await _find(call))


async def _reset_password(call: Call) -> MadeUser:
    user, access = await _find(call), call.parts.access
    _insist_on_other(call, user)
    _insist_on_own_password(user)
    call.hold_to_living()
    password = one_time_password()
    await access.users.set_password(user.id, await access.passwords.hash(password), must_change=True)
    await access.sessions.end_all(user.id, "the password was reset")
    call.note(user.name)
    return MadeUser(user=_shown(await _find(call)), one_time_password=password)


async def _remove_second_factor(call: Call) -> ShownUser:
    user, access = await _find(call), call.parts.access
    _insist_on_other(call, user)
    await access.second_factors.remove(user.id)
    await access.sessions.end_all(user.id, "the second factor was removed")
    call.note(user.name, before={"second_factor": user.second_factor}, after={"second_factor": False})
    return _shown(await _find(call))


async def _sessions(call: Call) -> SessionList:
    found = await call.parts.access.sessions.list((await _find(call)).id)
    return SessionList(items=[ShownSession.model_validate(session, from_attributes=True) for session in found])


async def _end_sessions(call: Call) -> Done:
    user = await _find(call)
    await call.parts.access.sessions.end_all(user.id, "ended by an administrator")
    call.note(user.name)
    return Done()


async def take_tenant(call: Call, slug: str | None, role: AdminRole) -> None:
    """Settle whose somebody new is to be: `call.tenant`. Raises OperationError 404, 409 and 422."""
    if call.principal.tenant_id is not None:
        if slug not in {None, call.principal.tenant}:
            raise not_found()
    elif slug is not None:
        call.tenant = await Tenancy(call.parts.database).find(slug)
        if call.tenant is None:
            raise not_found()
        call.hold_to_living()
    _insist_on_fit(role, call.tenant.slug if call.tenant is not None else None)


async def _find(call: Call) -> User:
    """Return the user of the path, and make it a matter of that user's tenant. Raises OperationError 404."""
    user = await call.parts.access.users.get(call.number("user"))
    own = call.principal.tenant_id
    if user is None or (own is not None and user.tenant_id != own):
        raise not_found()
    if call.tenant is None and user.tenant_id is not None:
        call.tenant = await Tenancy(call.parts.database).by_id(user.tenant_id)
    return user


def _insist_on_fit(role: AdminRole, tenant: str | None) -> None:
    if tenant is None and role not in PLATFORM_ROLES:
        raise OperationError(422, "invalid_field", f"A {role} belongs to a tenant: name it.", "tenant")
    if tenant is not None and role is AdminRole.PLATFORM_ADMIN:
        raise OperationError(422, "invalid_field", "A platform_admin belongs to no tenant.", "role")


def _insist_on_other(call: Call, user: User) -> None:
    if call.principal.kind == "user" and call.principal.id == user.id:
        raise OperationError(409, "refused", "This is yourself: have somebody else do it, or use your account's page.")


def _insist_on_own_password(user: User) -> None:
    if user.issuer is not None:
        raise OperationError(409, "refused", "The sign-in provider vouches for this user: change it there.")


def _shown(user: User) -> ShownUser:
    return ShownUser(
        id=user.id, name=user.name, role=AdminRole(user.role), tenant=user.tenant, enabled=user.enabled,
        must_change_password=user.must_change, second_factor=user.second_factor, provider=user.issuer,
        created_at=user.created_at, last_sign_in_at=user.last_sign_in_at,
    )  # fmt: skip


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation("listUsers", "GET", _ALL, Permission.USERS_READ, "List users.", UserList, _list, query=UserQuery),
    Operation(
        "createUser", "POST", _ALL, Permission.USERS_WRITE, "Make a user with a one-time password.", MadeUser, _create,
        201, NewUser,
    ),
    Operation("readUser", "GET", _ONE, Permission.USERS_READ, "Show a user.", ShownUser, _read),
    Operation(
        "changeUser", "PATCH", _ONE, Permission.USERS_WRITE, "Change a user's role, or keep a user out.", ShownUser,
        _change, body=UserChange,
    ),
    Operation(
        "resetPassword", "POST", f"{_ONE}/reset-password", Permission.USERS_WRITE,
        "Make a one-time password; all sessions end.", MadeUser, _reset_password,
    ),
    Operation(
        "removeSecondFactor", "POST", f"{_ONE}/remove-second-factor", Permission.USERS_WRITE,
        "Remove a lost second factor; all sessions end.", ShownUser, _remove_second_factor,
    ),
    Operation(
        "listSessions", "GET", f"{_ONE}/sessions", Permission.USERS_READ, "List a user's sessions.", SessionList,
        _sessions,
    ),
    Operation(
        "endSessions", "DELETE", f"{_ONE}/sessions", Permission.USERS_WRITE, "End all sessions of a user.", Done,
        _end_sessions,
    ),
)  # fmt: skip
