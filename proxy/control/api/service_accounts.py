"""Programs that use the control plane: make, see, give a new secret, end."""

from __future__ import annotations

from typing import Final

from proxy.control.access.types import AdminRole, Permission
from proxy.control.answers.service_accounts import (
    AccountList,
    AccountQuery,
    MadeAccount,
    NewAccount,
    SecretRotation,
    ShownAccount,
)
from proxy.control.api.users import take_tenant
from proxy.control.operations import Call, Operation, not_found
from proxy.control.paging import next_after, number_after
from storage.accounts.service_accounts import ServiceAccount
from storage.tenants.tenancy import Tenancy

_ALL: Final = "/api/v1/service-accounts"
_ONE: Final = f"{_ALL}/{{account}}"


async def _list(call: Call) -> AccountList:
    query = call.asked(AccountQuery)
    found = await call.parts.access.service_accounts.list(call.tenant_id, number_after(query), query.limit + 1)
    items = [_shown(account) for account in found[: query.limit]]
    return AccountList(items=items, next=next_after(found, query, lambda account: account.id))


async def _create(call: Call) -> MadeAccount:
    new = call.sent(NewAccount)
    await take_tenant(call, new.tenant, new.role)
    opened = await call.parts.access.service_accounts.create(new.name, new.role, call.tenant_id)
    shown = _shown(opened.account)
    call.note(shown.client_id, after={"name": shown.name, "role": shown.role, "tenant": shown.tenant})
    return MadeAccount(account=shown, client_secret=opened.secret)


async def _read(call: Call) -> ShownAccount:
    return _shown(await _find(call))


async def _rotate(call: Call) -> MadeAccount:
    account, overlap = await _find(call), call.sent(SecretRotation).overlap_minutes
    call.hold_to_living()
    opened = await call.parts.access.service_accounts.rotate(account.id, overlap * 60.0)
    call.note(account.client_id, after={"overlap_minutes": overlap})
    return MadeAccount(account=_shown(opened.account), client_secret=opened.secret)


async def _revoke(call: Call) -> ShownAccount:
    account = await _find(call)
    await call.parts.access.service_accounts.revoke(account.id)
    call.note(account.client_id, after={"revoked": True})
    return _shown(await _find(call))


async def _find(call: Call) -> ServiceAccount:
    """Return the account of the path, and make it a matter of its tenant. Raises OperationError 404."""
    account = await call.parts.access.service_accounts.get(call.number("account"))
    own = call.principal.tenant_id
    if account is None or (own is not None and account.tenant_id != own):
        raise not_found()
    if call.tenant is None and account.tenant_id is not None:
        call.tenant = await Tenancy(call.parts.database).by_id(account.tenant_id)
    return account


def _shown(account: ServiceAccount) -> ShownAccount:
    return ShownAccount(
        id=account.id, client_id=account.client_id, name=account.name, role=AdminRole(account.role),
        tenant=account.tenant, created_at=account.created_at, revoked_at=account.revoked_at,
        last_used_at=account.last_used_at,
    )  # fmt: skip


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "listServiceAccounts", "GET", _ALL, Permission.SERVICE_ACCOUNTS_READ, "List service accounts.", AccountList,
        _list, query=AccountQuery,
    ),
    Operation(
        "createServiceAccount", "POST", _ALL, Permission.SERVICE_ACCOUNTS_WRITE,
        "Make a service account; its secret is shown this once.", MadeAccount, _create, 201, NewAccount,
    ),
    Operation(
        "readServiceAccount", "GET", _ONE, Permission.SERVICE_ACCOUNTS_READ, "Show a service account.", ShownAccount,
        _read,
    ),
    Operation(
        "rotateServiceAccount", "POST", f"{_ONE}/rotate", Permission.SERVICE_ACCOUNTS_WRITE,
        "Make a new secret, shown this once; those before end at once or after a while.", MadeAccount, _rotate, 201,
        SecretRotation,
    ),
    Operation(
        "revokeServiceAccount", "DELETE", _ONE, Permission.SERVICE_ACCOUNTS_WRITE,
        "End a service account, its secrets and tokens at once; its name is free again.", ShownAccount, _revoke,
    ),
)  # fmt: skip
