"""Signing in without a browser: password and code for tokens, refreshing them, and tokens of service accounts."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Any, Final
from urllib.parse import unquote

from aiohttp import web

from detectors.errors import AccessError, OperationError
from proxy.control.access.answers import JsonObject, answer, nothing, routed, sent
from proxy.control.access.audit import NOBODY, note
from proxy.control.access.cookies import Cookie, forget_cookie
from proxy.control.access.form import read_form
from proxy.control.access.guard import signed_in
from proxy.control.access.parts import Access
from proxy.control.access.places import Place, place_of
from proxy.control.access.sign_in import SignInStep, with_code, with_password
from proxy.control.access.tokens import LIFE, Subject
from proxy.control.fields import Sent
from storage.accounts.throttle import Gate
from storage.accounts.users import User

_FORMS: Final = frozenset({"application/x-www-form-urlencoded"})


class SignIn(Sent):
    name: str
    password: str


class Code(Sent):
    waiting: str
    code: str


class Refresh(Sent):
    refresh_token: str


def mount_sign_in_api(app: web.Application, access: Access) -> None:
    app.router.add_post("/api/v1/auth/sign-in", routed(access, _sign_in))
    app.router.add_post("/api/v1/auth/sign-in/code", routed(access, _code))
    app.router.add_post("/api/v1/auth/refresh", routed(access, _refresh))
    app.router.add_post("/api/v1/auth/token", routed(access, _token))
    app.router.add_post("/api/v1/auth/sign-out", routed(access, _sign_out))
    app.router.add_get("/api/v1/auth/jwks.json", routed(access, _key_set))


async def _sign_in(access: Access, request: web.Request) -> web.Response:
    asked = await sent(request, SignIn)
    step = await with_password(access, asked.name, asked.password, place_of(access.settings, request), in_browser=False)
    return await _answered(access, step)


async def _code(access: Access, request: web.Request) -> web.Response:
    asked = await sent(request, Code)
    step = await with_code(access, asked.waiting, asked.code, place_of(access.settings, request), in_browser=False)
    return await _answered(access, step)


async def _answered(access: Access, step: SignInStep) -> web.Response:
    if step.begun is None:
        return answer({"next": "code", "waiting": step.waiting})
    return answer(await _tokens(access, step.user, step.begun.id, step.begun.token))


async def _refresh(access: Access, request: web.Request) -> web.Response:
    return await _refreshed(access, (await sent(request, Refresh)).refresh_token, place_of(access.settings, request))


async def _refreshed(access: Access, token: str, place: Place) -> web.Response:
    refreshed = await access.sessions.refresh(token)
    if refreshed.reused:
        access.sign_ins["reused_refresh"] += 1
        victim = await access.users.get(refreshed.ended_of)
        await note(
            access, NOBODY, "session.end", tenant_id=victim.tenant_id if victim else None,
            target=victim.name if victim else "", session=refreshed.ended, why="a refresh token was used twice",
            network=place.network,
        )  # fmt: skip
    user = await access.users.get(refreshed.session.user_id) if refreshed.session is not None else None
    if refreshed.session is None or user is None or not user.enabled:
        raise AccessError(401, "invalid_grant", "The refresh token is not valid, or no longer: sign in again.")
    return answer(await _tokens(access, user, refreshed.session.id, refreshed.token))


async def _tokens(access: Access, user: User, session: str, refresh: str) -> JsonObject:
    token = await access.tokens.issue(Subject("user", user.id, session, user.role, user.tenant))
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": LIFE,
        "refresh_token": refresh,
        "must_change_password": user.must_change,
    }


async def _token(access: Access, request: web.Request) -> web.Response:
    """The token endpoint of OAuth 2.0 (RFC 6749): client credentials, and refreshing."""
    if request.content_type not in _FORMS:
        raise OperationError(415, "form_needed", "Send 'Content-Type: application/x-www-form-urlencoded'.")
    form, place = await read_form(request), place_of(access.settings, request)
    grant = form.get("grant_type")
    if grant == "refresh_token":
        return await _refreshed(access, str(form.get("refresh_token", "")), place)
    if grant != "client_credentials":
        raise OperationError(
            400, "unsupported_grant_type", "grant_type is client_credentials or refresh_token.", "grant_type"
        )
    client_id, secret = _client(request, form)
    if "\0" in client_id + secret:  # which no column can hold, so nobody's
        raise AccessError(401, "invalid_client", "The client id or its secret are wrong, or have ended.")
    return await _of_program(access, client_id, secret, place)


async def _of_program(access: Access, client_id: str, secret: str, place: Place) -> web.Response:
    # The secrets cannot be guessed; what is slowed down is the noise.
    gates = (Gate("clients of network", place.neighbourhood, free=30, longest=60.0, forgiven=False),)
    if seconds := await access.throttle.take(gates):
        raise AccessError(429, "too_many_tries", "Too many failed tries: wait a little.", retry_after=seconds)
    opened = await access.service_accounts.open(client_id, secret)
    if opened is None:
        access.sign_ins["wrong_client"] += 1
        if (left_out := access.failures.admit_for("client", 0)) is not None:
            await note(
                access, NOBODY, "sign_in.failed", target="a service account", network=place.network, what="secret",
                not_noted_before=left_out or None,
            )  # fmt: skip
        raise AccessError(401, "invalid_client", "The client id or its secret are wrong, or have ended.")
    await access.throttle.succeed(gates)
    account = opened.account
    subject = Subject("service-account", account.id, str(opened.secret_id), account.role, account.tenant)
    token = await access.tokens.issue(subject)
    # Some programs ask for a token with every call.
    if (left_out := access.failures.admit_for("program", account.id)) is not None:
        await note(
            access, f"service_account:{account.client_id}", "sign_in", tenant_id=account.tenant_id,
            target=account.client_id, network=place.network, not_noted_before=left_out or None,
        )  # fmt: skip
    access.sign_ins["ok"] += 1
    return answer({"access_token": token, "token_type": "Bearer", "expires_in": LIFE})


def _client(request: web.Request, form: Any) -> tuple[str, str]:
    """From the header (RFC 6749, section 2.3.1: both parts are form-encoded), or from the form."""
    header = request.headers.get("Authorization")
    if header is None:
        return str(form.get("client_id", "")), str(form.get("client_secret", ""))
    try:
        scheme, _, encoded = header.partition(" ")
        client_id, _, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise AccessError(401, "invalid_client", "The Authorization header cannot be read.") from exc
    if scheme.lower() != "basic":
        raise AccessError(401, "invalid_client", "The Authorization header is not Basic.")
    return unquote(client_id), unquote(secret)


async def _sign_out(access: Access, request: web.Request) -> web.Response:
    signed = await signed_in(access, request)
    if signed.user is not None and signed.session is not None:
        await access.sessions.end(signed.user.id, signed.session.id, "signed out")
    response = nothing()
    forget_cookie(access.settings, request, response, Cookie.SESSION)
    return response


async def _key_set(access: Access, _request: web.Request) -> web.Response:
    response = answer(await access.tokens.key_set())
    response.headers["Cache-Control"] = "public, max-age=300"
    return response
