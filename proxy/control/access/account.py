"""What somebody who is signed in does with an own account: a new password, the second factor, sessions."""

from __future__ import annotations

from detectors.errors import AccessError, OperationError
from proxy.control.access.audit import record
from proxy.control.access.guard import SignedIn
from proxy.control.access.parts import Access
from proxy.control.access.passwords import weakness
from proxy.control.access.places import Place
from proxy.control.access.sign_in import insist_on_password
from storage.accounts.throttle import Gate
from storage.accounts.users import User


def user_of(signed: SignedIn) -> User:
    """Return who of flesh and blood is signed in. Raises AccessError 403 for a program or the master key."""
    if signed.user is None:
        raise AccessError(403, "no_account", "This is for people's accounts: a program, or the master key, has none.")
    return signed.user


async def change_password(access: Access, signed: SignedIn, current: str, new: str, place: Place) -> None:
    """Change the password and end all other sessions. Raises AccessError 401, 429, OperationError 409, 422."""
    user = user_of(signed)
    if user.issuer is not None:
        raise OperationError(409, "refused", "Your password is the sign-in provider's: change it there.")
    before = await access.users.password_hash(user.id)
    await insist_on_password(access, user, current, place)
    problem = weakness(new, user.name) or ("The new password is the old one." if new == current else None)
    if problem:
        raise OperationError(422, "weak_password", problem, "new")
    if not await access.users.replace_password(user.id, before or "", await access.passwords.hash(new)):
        raise OperationError(409, "refused", "The password was changed or reset meanwhile: sign in again.")
    await access.sessions.end_all(user.id, "the password was changed", but=signed.principal.session)
    await _note(access, signed, "password.change")


async def begin_second_factor(access: Access, signed: SignedIn, password: str, place: Place) -> str:
    """Return the secret of a second factor that is to be confirmed. Raises OperationError 409 if there is one."""
    user = user_of(signed)
    if user.issuer is not None:
        raise OperationError(409, "refused", "You sign in with a provider, which asks for a second factor itself.")
    await insist_on_password(access, user, password, place)
    secret = await access.codes.begin(user.id)
    if secret is None:
        raise OperationError(409, "refused", "There is a second factor already: remove it first.")
    return secret


async def confirm_second_factor(access: Access, signed: SignedIn, code: str) -> tuple[str, ...]:
    """Turn the second factor on; return the recovery codes, shown this once. Raises AccessError 401, 429.

    Other sessions end: whoever began them has not shown it.
    """
    user = user_of(signed)
    gates = (Gate("code", str(user.id), free=5, longest=900.0),)
    if seconds := await access.throttle.take(gates):
        raise AccessError(429, "too_many_tries", "Too many failed tries: wait a little.", retry_after=seconds)
    codes = await access.codes.confirm(user.id, code)
    if codes is None:
        raise AccessError(401, "wrong_code", "The code is wrong: is the clock of your phone right?")
    await access.throttle.succeed(gates)
    await access.sessions.end_all(user.id, "a second factor was added", but=signed.principal.session)
    await _note(access, signed, "second_factor.add")
    return codes


async def remove_second_factor(access: Access, signed: SignedIn, password: str, code: str, place: Place) -> None:
    """Raises AccessError 401, 429; OperationError 409 where there is none."""
    user = user_of(signed)
    if not user.second_factor:
        raise OperationError(409, "refused", "There is no second factor.")
    await insist_on_password(access, user, password, place)
    gates = (Gate("code", str(user.id), free=5, longest=900.0),)
    if seconds := await access.throttle.take(gates):
        raise AccessError(429, "too_many_tries", "Too many failed tries: wait a little.", retry_after=seconds)
    if not await access.codes.accepts(user.id, code):
        raise AccessError(401, "wrong_code", "The code is wrong, or was used already.")
    await access.throttle.succeed(gates)
    await access.second_factors.remove(user.id)
    await access.sessions.end_all(user.id, "the second factor was removed", but=signed.principal.session)
    await _note(access, signed, "second_factor.remove")


async def end_session(access: Access, signed: SignedIn, session: str) -> None:
    """End one of one's own sessions. Raises OperationError 404."""
    if not await access.sessions.end(user_of(signed).id, session, "ended by its owner"):
        raise OperationError(404, "not_found", "There is no such session of yours.")
    await _note(access, signed, "session.end", session)


async def _note(access: Access, signed: SignedIn, action: str, target: str = "") -> None:
    principal = signed.principal
    await record(access, principal, action, tenant_id=principal.tenant_id, target=target or principal.name)
