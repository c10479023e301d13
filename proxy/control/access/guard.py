"""Who asks: from a bearer token or the session cookie to a Principal, or a refusal."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from aiohttp import web

from detectors.errors import AccessError, StorageError
from proxy.control.access.conditions import Surroundings, granted
from proxy.control.access.cookies import Cookie, csrf_token, read_cookie
from proxy.control.access.form import read_form
from proxy.control.access.parts import Access
from proxy.control.access.places import is_our_page, network_of
from proxy.control.access.tokens import Subject
from proxy.control.access.types import AdminRole, Principal
from storage.accounts.sealing import hash_token
from storage.accounts.service_accounts import ServiceAccount
from storage.accounts.sessions import Session
from storage.accounts.users import User

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A principal, and the user and session behind it, if any."""

    principal: Principal
    user: User | None = None
    session: Session | None = None


async def principal_of(access: Access, request: web.Request) -> Principal:
    """Return who sends a request. Raises AccessError: 401 for nobody we know, 403 for a form that no page of theirs
    made, or for somebody who has to choose a password first; 503 where nobody can be asked.
    """
    signed = await signed_in(access, request)
    if signed.user is not None and signed.user.must_change:
        raise AccessError(403, "password_change_required", "Choose a password of your own first: /account.")
    return signed.principal


async def signed_in(access: Access, request: web.Request) -> SignedIn:
    """As `principal_of`, also for somebody who has yet to choose a password."""
    try:
        # Of a request with both, the header counts: then a cookie that a browser adds by itself does nothing.
        header = request.headers.get("Authorization")
        if header is not None:
            return await _by_bearer(access, request, header)
        return await _by_cookie(access, request)
    except StorageError as exc:
        raise AccessError(503, "unavailable", "The database cannot be asked at the moment.") from exc


async def _by_bearer(access: Access, request: web.Request, header: str) -> SignedIn:
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(request.headers.getall("Authorization")) > 1:
        raise AccessError(401, "invalid_token", "Send one access token: 'Authorization: Bearer <token>'.")
    if access.master is not None and secrets.compare_digest(access.master, hash_token(access.master_key, token)):
        return SignedIn(_master(access, request))
    subject = await access.tokens.read(token)
    found = await (
        _of_user(access, request, subject) if subject.kind == "user" else _of_program(access, request, subject)
    )
    # What a token says of its owner was true when it was signed; it does not outlive a change.
    if (found.principal.role, found.principal.tenant) != (subject.role, subject.tenant):
        raise AccessError(401, "invalid_token", "Role or tenant have changed since: get a new token.")
    return found


async def _of_user(access: Access, request: web.Request, subject: Subject) -> SignedIn:
    session = await access.sessions.live(subject.session)
    user = await access.users.get(subject.id)
    if session is None or user is None or not user.enabled or session.user_id != user.id:
        raise AccessError(401, "session_ended", "The session has ended: sign in again.")
    return SignedIn(principal_for(access, request, user, session), user, session)


async def _of_program(access: Access, request: web.Request, subject: Subject) -> SignedIn:
    secret_id = int(subject.session) if subject.session.isascii() and subject.session.isdecimal() else 0
    account = await access.service_accounts.live(subject.id, secret_id)
    if account is None:
        raise AccessError(401, "session_ended", "The service account, or the secret that was used, has ended.")
    return SignedIn(_program(access, request, account))


async def _by_cookie(access: Access, request: web.Request) -> SignedIn:
    token = read_cookie(access.settings, request, Cookie.SESSION)
    session = await access.sessions.by_cookie(token) if token else None
    user = await access.users.get(session.user_id) if session is not None else None
    if session is None or user is None or not user.enabled:
        raise AccessError(401, "unauthenticated", "Sign in first, or send an access token.")
    expected = csrf_token(access.csrf_key, token)
    if request.method not in _SAFE:
        await _insist_on_our_page(access, request, expected)
    return SignedIn(principal_for(access, request, user, session, expected), user, session)


async def _insist_on_our_page(access: Access, request: web.Request, expected: str) -> None:
    shown = request.headers.get(CSRF_HEADER, "")
    if not shown and request.content_type in _FORMS:
        shown = str((await read_form(request)).get(CSRF_FIELD, ""))
    if not is_our_page(access.settings, request) or not secrets.compare_digest(shown.encode(), expected.encode()):
        raise AccessError(403, "csrf", "This form is out of date, or was not made by a page of ours: open it again.")


def principal_for(access: Access, request: web.Request, user: User, session: Session, csrf: str = "") -> Principal:
    """Return a user as a principal of this request."""
    role, network = AdminRole(user.role), network_of(access.settings, request)
    around = Surroundings(network, access.clock(), session.second_factor)
    return Principal(
        kind="user", id=user.id, name=user.name, role=role, tenant_id=user.tenant_id, tenant=user.tenant,
        granted=granted(role, access.conditions, around), network=network, session=session.id,
        second_factor=session.second_factor, csrf=csrf,
    )  # fmt: skip


def _program(access: Access, request: web.Request, account: ServiceAccount) -> Principal:
    role, network = AdminRole(account.role), network_of(access.settings, request)
    return Principal(
        kind="service_account", id=account.id, name=account.client_id, role=role, tenant_id=account.tenant_id,
        tenant=account.tenant, granted=granted(role, access.conditions, Surroundings(network, access.clock(), False)),
        network=network,
    )  # fmt: skip


def _master(access: Access, request: web.Request) -> Principal:
    role, network = AdminRole.PLATFORM_ADMIN, network_of(access.settings, request)
    return Principal(
        kind="first_admin", id=0, name="master key", role=role, tenant_id=None, tenant=None,
        granted=granted(role, access.conditions, Surroundings(network, access.clock(), False)), network=network,
    )  # fmt: skip
