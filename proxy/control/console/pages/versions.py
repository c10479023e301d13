"""A policy's versions: who wrote what and why, what a draft would change, putting one in force, taking it back."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from proxy.control.answers.policies import (
    PolicyDifference,
    ReadPolicy,
    ReplayReport,
    ShownVersion,
    TestReport,
    VersionList,
    VersionText,
)
from proxy.control.console.filters import query
from proxy.control.console.page import Page, Visit

_ALL: Final = "/console/policies/{app}/versions"
_ONE: Final = "/console/policies/{app}/versions/{version}"


async def _show(visit: Visit) -> web.Response:
    read = await visit.ask("readPolicy", ReadPolicy, names=_policy(visit))
    listed = await visit.ask(
        "listPolicyVersions", VersionList, names=_policy(visit), query=query(visit, {}, tenant=False)
    )
    return visit.page("versions.html", f"Versions of {read.policy.name}", policy=read.policy, found=listed)


async def _one(visit: Visit, **reports: Any) -> web.Response:
    read = await visit.ask("readPolicy", ReadPolicy, names=_policy(visit))
    found = await visit.ask("readPolicyVersion", VersionText, names=_version(visit))
    number = {"version": found.version.version}
    difference = reports.get("difference") or (
        None
        if found.version.in_force
        else await visit.look("diffPolicy", PolicyDifference, names=_policy(visit), body=number)
    )
    return visit.page(
        "version.html",
        f"{read.policy.name} version {found.version.version}",
        policy=read.policy,
        version=found.version,
        lines=found.content.rstrip("\n").split("\n"),
        difference=difference,
        days=str(visit.typed.get("days", "7")),
        choices=(1, 7, 30, 90),
        tests=reports.get("tests"),
        replay=reports.get("replay"),
        four_eyes=visit.console.parts.settings.four_eyes,
        mine=found.version.author == visit.principal.name,
    )


async def _test(visit: Visit) -> web.Response:
    body = {"version": visit.name("version")}
    return await _one(visit, tests=await visit.attempt("testPolicy", TestReport, names=_policy(visit), body=body))


async def _replay(visit: Visit) -> web.Response:
    body = {"version": visit.name("version"), "days": visit.typed.get("days", "7")}
    found = await visit.attempt("replayPolicy", ReplayReport, names=_policy(visit), body=body)
    return await _one(visit, replay=found)


async def _approve(visit: Visit) -> web.Response:
    done = await visit.attempt("approvePolicyVersion", ShownVersion, names=_version(visit))
    return await _one(visit) if done is None else visit.go(visit.request.path, "approved")


async def _activate(visit: Visit) -> web.Response:
    body = visit.sent("reason", "condition", "days")
    done = await visit.attempt("activatePolicyVersion", ShownVersion, names=_version(visit), body=body)
    return await _one(visit) if done is None else visit.go(visit.request.path, "activated")


async def _roll_back(visit: Visit) -> web.Response:
    body = visit.sent("reason", "undo")
    done = await visit.attempt("rollBackPolicy", ShownVersion, names=_policy(visit), body=body)
    return await _show(visit) if done is None else visit.go(visit.request.path, "rolled-back")


def _policy(visit: Visit) -> dict[str, str]:
    return {"tenant": visit.tenant or "", "app": visit.name("app")}


def _version(visit: Visit) -> dict[str, str]:
    return _policy(visit) | {"version": visit.name("version")}


PAGES: Final = (
    Page(_ALL, _show, MappingProxyType({"roll-back": _roll_back}), needs_tenant=True),
    Page(
        _ONE,
        _one,
        MappingProxyType({"test": _test, "replay": _replay, "approve": _approve, "activate": _activate}),
        needs_tenant=True,
    ),
)
