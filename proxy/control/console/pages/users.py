"""People: who may come in and as what; made with a one-time password, disabled, let in again after a loss."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from aiohttp import web

from proxy.control.access.types import PLATFORM_ROLES, AdminRole
from proxy.control.answers.users import MadeUser, SessionList, ShownUser, UserList
from proxy.control.console.filters import query
from proxy.control.console.page import Page, Visit
from proxy.control.fields import Done

_LIST: Final = "/console/users"
_ONE: Final = "/console/users/{user}"


async def _show(visit: Visit, made: MadeUser | None = None) -> web.Response:
    found = await visit.ask("listUsers", UserList, query=query(visit, {}))
    return visit.page("users.html", "Users", found=found, made=made, roles=roles_for(visit))


async def _create(visit: Visit) -> web.Response:
    """Make a user; the password stands in this answer and nowhere else."""
    return await _show(visit, await visit.attempt("createUser", MadeUser, body=visit.sent("name", "role", "tenant")))


async def _one(visit: Visit, made: MadeUser | None = None) -> web.Response:
    one = await visit.ask("readUser", ShownUser, names=_user(visit))
    sessions = await visit.look("listSessions", SessionList, names=_user(visit))
    values = {"one": one, "made": made, "roles": roles_for(visit), "sessions": sessions.items if sessions else []}
    return visit.page("user.html", one.name, **values)


async def _change_role(visit: Visit) -> web.Response:
    done = await visit.attempt("changeUser", ShownUser, names=_user(visit), body=visit.sent("role"))
    return await _one(visit) if done is None else visit.go(visit.request.path, "saved")


async def _disable(visit: Visit) -> web.Response:
    return await _enabled(visit, enabled=False)


async def _enable(visit: Visit) -> web.Response:
    return await _enabled(visit, enabled=True)


async def _enabled(visit: Visit, *, enabled: bool) -> web.Response:
    done = await visit.attempt("changeUser", ShownUser, names=_user(visit), body={"enabled": enabled})
    return await _one(visit) if done is None else visit.go(visit.request.path, "enabled" if enabled else "disabled")


async def _reset(visit: Visit) -> web.Response:
    return await _one(visit, await visit.attempt("resetPassword", MadeUser, names=_user(visit)))


async def _remove_factor(visit: Visit) -> web.Response:
    done = await visit.attempt("removeSecondFactor", ShownUser, names=_user(visit))
    return await _one(visit) if done is None else visit.go(visit.request.path, "factor-removed")


async def _end_sessions(visit: Visit) -> web.Response:
    done = await visit.attempt("endSessions", Done, names=_user(visit))
    return await _one(visit) if done is None else visit.go(visit.request.path, "sessions-ended")


def roles_for(visit: Visit) -> list[tuple[str, str]]:
    """Return the roles that can be given where one looks, with their names."""
    of_a_tenant = visit.tenant is not None
    able = [
        role for role in AdminRole if (role is not AdminRole.PLATFORM_ADMIN if of_a_tenant else role in PLATFORM_ROLES)
    ]
    return [(str(role), role.replace("_", " ").capitalize()) for role in able]


def _user(visit: Visit) -> dict[str, str]:
    return {"user": visit.name("user")}


_FORMS: Final = MappingProxyType(
    {
        "role": _change_role,
        "disable": _disable,
        "enable": _enable,
        "reset": _reset,
        "remove-factor": _remove_factor,
        "end-sessions": _end_sessions,
    }
)
PAGES: Final = (Page(_LIST, _show, MappingProxyType({"create": _create})), Page(_ONE, _one, _FORMS))
