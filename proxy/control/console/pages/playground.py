"""The playground: one text through a policy, and everything that is seen, found, decided and sent."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from proxy.control.answers.playground import TrialReport
from proxy.control.console.page import Page, Visit
from proxy.control.console.pages.apps import app_choices

_ORIGINS: Final = (
    ("user", "A user"),
    ("tool", "A tool or document"),
    ("system", "The system prompt"),
    ("assistant", "The model"),
    ("tool_definition", "A tool's definition"),
    ("metadata", "Metadata"),
    ("unknown", "Nobody knows"),
)


async def _show(visit: Visit, report: TrialReport | None = None) -> web.Response:
    return visit.page(
        "playground.html",
        "Playground",
        report=report,
        steps=_steps(report),
        origins=_ORIGINS,
        apps=await app_choices(visit),
        text=str(visit.typed.get("text", "")).replace("\r\n", "\n"),
    )


async def _try(visit: Visit) -> web.Response:
    body = visit.sent("origin", "direction", "app", "model")
    body["text"] = str(visit.typed.get("text", "")).replace("\r\n", "\n")
    if policy := str(visit.typed.get("policy", "")).strip():
        body["policy"] = policy.replace("\r\n", "\n")
    report = await visit.attempt("tryText", TrialReport, names={"tenant": visit.tenant or ""}, body=body)
    return await _show(visit, report)


def _steps(report: TrialReport | None) -> list[dict[str, Any]]:
    """Return the findings as the explanation has them, the surest first."""
    return [] if report is None else list(report.explanation.get("findings", []))


PAGES: Final = (Page("/console/playground", _show, MappingProxyType({"try": _try}), needs_tenant=True),)
