"""Policies: which are in force, their text with a compiler and tests beside it, and what a draft would change."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from proxy.control.answers.policies import (
    PolicyDifference,
    PolicyList,
    PolicyReport,
    ReadPolicy,
    ReplayReport,
    TestReport,
    VersionText,
)
from proxy.control.console.filters import query
from proxy.control.console.page import Page, Visit
from proxy.control.console.visible import hidden_characters

_LIST: Final = "/console/policies"
_ONE: Final = "/console/policies/{app}"
_DAYS: Final = (1, 7, 30, 90)


async def _show(visit: Visit) -> web.Response:
    listed = await visit.ask(
        "listPolicies", PolicyList, names={"tenant": visit.tenant or ""}, query=query(visit, {}, tenant=False)
    )
    return visit.page("policies.html", "Policies", found=listed)


async def _editor(visit: Visit, **reports: Any) -> web.Response:
    """Show the text in force, or what was typed, and beneath it what was asked about it."""
    names = {"tenant": visit.tenant or "", "app": visit.name("app")}
    read = await visit.ask("readPolicy", ReadPolicy, names=names)
    content = _typed(visit) if "content" in visit.typed else read.content
    report: PolicyReport | None = reports.get("report")
    filled = visit.filled(visit.doing)
    problems = report.problems if report else filled.problems
    return visit.page(
        "policy.html",
        f"Policy {read.policy.name}",
        policy=read.policy,
        content=content,
        lines=content.split("\n"),
        changed=content != read.content,
        problems=problems,
        marked={problem.line for problem in problems},
        hidden=hidden_characters(content),
        filled=filled,
        reason=visit.typed.get("reason", ""),
        days=str(visit.typed.get("days", "7")),
        choices=_DAYS,
        **{name: reports.get(name) for name in ("report", "tests", "difference", "replay")},
    )


async def _check(visit: Visit) -> web.Response:
    report = await visit.attempt("checkPolicy", PolicyReport, names=_names(visit), body={"content": _typed(visit)})
    return await _editor(visit, report=report)


async def _test(visit: Visit) -> web.Response:
    tests = await visit.attempt("testPolicy", TestReport, names=_names(visit), body={"content": _typed(visit)})
    return await _editor(visit, tests=tests)


async def _compare(visit: Visit) -> web.Response:
    found = await visit.attempt("diffPolicy", PolicyDifference, names=_names(visit), body={"content": _typed(visit)})
    return await _editor(visit, difference=found)


async def _replay(visit: Visit) -> web.Response:
    body = {"content": _typed(visit), "days": visit.typed.get("days", "7")}
    found = await visit.attempt("replayPolicy", ReplayReport, names=_names(visit), body=body)
    return await _editor(visit, replay=found)


async def _save(visit: Visit) -> web.Response:
    """Keep the text as a draft. A text that does not load, or fails its own tests, stays in the editor."""
    body = {"content": _typed(visit), "reason": str(visit.typed.get("reason", "")).strip()}
    saved = await visit.attempt("savePolicyDraft", VersionText, names=_names(visit), body=body)
    if saved is None:
        return await _editor(visit)
    return visit.go(f"{_LIST}/{visit.name('app')}/versions/{saved.version.version}", "draft")


def _names(visit: Visit) -> dict[str, str]:
    return {"tenant": visit.tenant or "", "app": visit.name("app")}


def _typed(visit: Visit) -> str:
    """Return the editor's text as it was before a browser made its line ends those of a form."""
    return str(visit.typed.get("content", "")).replace("\r\n", "\n")


PAGES: Final = (
    Page(_LIST, _show, needs_tenant=True),
    Page(
        _ONE,
        _editor,
        MappingProxyType({"check": _check, "test": _test, "diff": _compare, "replay": _replay, "save": _save}),
        needs_tenant=True,
    ),
)
