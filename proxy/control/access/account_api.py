"""One's own account over the API: who one is, the password, the second factor, sessions."""

from __future__ import annotations

from aiohttp import web

from proxy.control.access.account import (
    begin_second_factor,
    change_password,
    confirm_second_factor,
    end_session,
    remove_second_factor,
    user_of,
)
from proxy.control.access.answers import JsonObject, answer, nothing, routed, sent
from proxy.control.access.guard import signed_in
from proxy.control.access.one_time import provisioning_uri
from proxy.control.access.parts import Access
from proxy.control.access.places import place_of
from proxy.control.fields import Sent
from storage.accounts.sessions import Session


class NewPassword(Sent):
    current: str
    new: str


class Password(Sent):
    password: str


class ConfirmingCode(Sent):
    code: str


class Removal(Sent):
    password: str
    code: str


def mount_account_api(app: web.Application, access: Access) -> None:
    app.router.add_get("/api/v1/auth/session", routed(access, _who))
    app.router.add_post("/api/v1/auth/password", routed(access, _password))
    app.router.add_post("/api/v1/auth/second-factor", routed(access, _begin))
    app.router.add_post("/api/v1/auth/second-factor/confirm", routed(access, _confirm))
    app.router.add_post("/api/v1/auth/second-factor/remove", routed(access, _remove))
    app.router.add_get("/api/v1/auth/sessions", routed(access, _sessions))
    app.router.add_delete("/api/v1/auth/sessions/{session}", routed(access, _end))


async def _who(access: Access, request: web.Request) -> web.Response:
    signed = await signed_in(access, request)
    principal = signed.principal
    return answer(
        {
            "kind": principal.kind,
            "name": principal.name,
            "role": principal.role,
            "tenant": principal.tenant,
            "permissions": sorted(principal.granted),
            "session": principal.session,
            "second_factor": principal.second_factor,
            "must_change_password": signed.user is not None and signed.user.must_change,
            "csrf": principal.csrf,
        }
    )


async def _password(access: Access, request: web.Request) -> web.Response:
    signed, asked = await signed_in(access, request), await sent(request, NewPassword)
    await change_password(access, signed, asked.current, asked.new, place_of(access.settings, request))
    return nothing()


async def _begin(access: Access, request: web.Request) -> web.Response:
    signed, asked = await signed_in(access, request), await sent(request, Password)
    secret = await begin_second_factor(access, signed, asked.password, place_of(access.settings, request))
    return answer({"secret": secret, "uri": provisioning_uri(secret, signed.principal.name)}, 201)


async def _confirm(access: Access, request: web.Request) -> web.Response:
    signed, asked = await signed_in(access, request), await sent(request, ConfirmingCode)
    return answer({"recovery_codes": await confirm_second_factor(access, signed, asked.code)})


async def _remove(access: Access, request: web.Request) -> web.Response:
    signed, asked = await signed_in(access, request), await sent(request, Removal)
    await remove_second_factor(access, signed, asked.password, asked.code, place_of(access.settings, request))
    return nothing()


async def _sessions(access: Access, request: web.Request) -> web.Response:
    signed = await signed_in(access, request)
    listed = await access.sessions.list(user_of(signed).id)
    return answer({"items": [_shown(session, signed.principal.session) for session in listed], "next": None})


async def _end(access: Access, request: web.Request) -> web.Response:
    await end_session(access, await signed_in(access, request), request.match_info["session"])
    return nothing()


def _shown(session: Session, current: str | None) -> JsonObject:
    return {
        "id": session.id,
        "current": session.id == current,
        "created_at": session.created_at.isoformat(),
        "last_seen_at": session.last_seen_at.isoformat(),
        "ends_at": session.ends_at.isoformat(),
        "network": session.network,
        "agent": session.agent,
        "second_factor": session.second_factor,
        "in_browser": session.in_browser,
    }
