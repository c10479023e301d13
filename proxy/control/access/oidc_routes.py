"""The two addresses of a sign-in with a provider: on the way there, and on the way back."""

from __future__ import annotations

from aiohttp import web

from detectors.errors import AccessError
from proxy.control.access.audit import NOBODY, note
from proxy.control.access.cookies import Cookie, forget_cookie, read_cookie, set_cookie
from proxy.control.access.oidc import OidcSignIn, Vouched
from proxy.control.access.parts import Access
from proxy.control.access.places import Place, is_secure, origin_of, place_of, way_back
from proxy.control.access.sign_in import begin_session
from storage.accounts.throttle import Gate
from storage.accounts.users import User
from storage.tenants.tenants import TenantStore

START = "/api/v1/auth/oidc/start"


async def depart(access: Access, request: web.Request) -> web.Response:
    """Send the browser to the provider. Raises AccessError 404, 502."""
    oidc, gates = _oidc(access), _gates(place_of(access.settings, request))
    if seconds := await access.throttle.take(gates):
        raise AccessError(429, "too_many_tries", "Too many sign-ins were begun: wait a little.", retry_after=seconds)
    departure = await oidc.depart(_origin(access, request), way_back(request.query.get("next", "")))
    response = web.Response(status=303, headers={"Location": departure.url})
    set_cookie(access.settings, request, response, Cookie.OIDC, departure.cookie)
    return response


async def arrive(access: Access, request: web.Request) -> web.Response:
    """Let in whom the provider vouches for. Raises AccessError."""
    place = place_of(access.settings, request)
    try:
        vouched = await _oidc(access).arrive(request.query, read_cookie(access.settings, request, Cookie.OIDC))
        user = await _user(access, vouched)
    except AccessError as exc:
        access.sign_ins["provider_refused"] += 1
        if exc.status == 403:
            await note(access, NOBODY, "sign_in.failed", what=exc.code, target="a provider's", network=place.network)
        raise
    await access.throttle.succeed(_gates(place))
    step = await begin_session(access, user, place, second_factor=vouched.second_factor, in_browser=True)
    response = web.Response(status=303, headers={"Location": way_back(vouched.wanted)})
    forget_cookie(access.settings, request, response, Cookie.OIDC)
    if step.begun is not None:
        set_cookie(access.settings, request, response, Cookie.SESSION, step.begun.token)
    return response


def _gates(place: Place) -> tuple[Gate, ...]:
    """What is begun is kept until it is finished: nobody is to fill the table with it."""
    return (Gate("departures", place.neighbourhood, free=200, longest=60.0, forgiven=False),)


async def _user(access: Access, vouched: Vouched) -> User:
    tenant = await TenantStore(access.database).find(vouched.tenant) if vouched.tenant is not None else None
    if vouched.tenant is not None and tenant is None:
        raise AccessError(403, "no_role", "The tenant that is meant for you is not there.")
    user = await access.users.vouched(
        vouched.issuer, vouched.subject, vouched.name, vouched.role, tenant.id if tenant else None
    )
    if not user.enabled:
        raise AccessError(403, "disabled", "Your account is disabled.")
    return user


def _oidc(access: Access) -> OidcSignIn:
    if access.oidc is None:
        raise AccessError(404, "not_found", "No sign-in provider is configured.")
    return access.oidc


def _origin(access: Access, request: web.Request) -> str:
    """How browsers reach us; a Host header that somebody made up fails at the provider, which knows our address."""
    if access.settings.url:
        return origin_of(access.settings.url)
    return f"{'https' if is_secure(access.settings, request) else 'http'}://{request.host}"
