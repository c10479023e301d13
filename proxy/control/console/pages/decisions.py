"""The log: its decisions by many conditions, and one of them with the why and what follows from it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, get_args

from aiohttp import web

from detectors.errors import OperationError
from proxy.control.answers.decisions import (
    BodyList,
    CategoryName,
    DecisionDetail,
    DecisionList,
    OutcomeName,
)
from proxy.control.answers.exclusions import ExclusionDraft
from proxy.control.answers.incidents import IncidentDetail
from proxy.control.console.filters import PERIODS, asked, moment, period, query
from proxy.control.console.forms import Wrong
from proxy.control.console.page import Page, Visit
from proxy.control.fields import Done

_LIST: Final = "/console/decisions"
_ONE: Final = "/console/decisions/{decision}"
_CONDITIONS: Final = ("action", "category", "outcome", "app", "rule", "model", "key", "request_id", "policy", "content")
_CHOICES: Final = MappingProxyType(
    {
        "action": ("block", "mask", "pseudonymise", "flag", "allow"),
        "category": get_args(CategoryName),
        "outcome": get_args(OutcomeName),
    }
)
_EXCUSED_FOR: Final = timedelta(days=90)


async def _show(visit: Visit) -> web.Response:
    given = asked(visit, *_CONDITIONS)
    # Whoever has an id looks for it, however old it is.
    chosen, since = period(visit, "any" if given.get("request_id") else "24h")
    times = {"since": moment(visit, "since") or since, "until": moment(visit, "until")}
    found, wrong = DecisionList(items=[], next=None), None
    try:
        found = await visit.ask("searchDecisions", DecisionList, query=query(visit, {**given, **times, "limit": 50}))
    except OperationError as exc:
        if exc.status not in {409, 422}:
            raise
        wrong = Wrong("", exc.status, exc.message, exc.field)
    exact = [one for one in found.items if given.get("request_id") in {one.id, one.request_id}]
    if len(exact) == 1 and given.keys() == {"request_id"}:
        return visit.go(f"{_LIST}/{exact[0].id}", tenant=visit.tenant)
    kept = asked(visit, *_CONDITIONS, "since", "until", "period")
    return visit.page(
        "decisions.html",
        "Decisions",
        found=found,
        given=given,
        kept=kept,
        wrong=wrong,
        period=chosen,
        periods=[(name, shown) for name, (shown, _) in PERIODS.items()] + [("any", "Any time")],
        choices=_CHOICES,
        times={"since": visit.request.query.get("since", ""), "until": visit.request.query.get("until", "")},
    )


async def _one(visit: Visit, bodies: BodyList | None = None) -> web.Response:
    detail = await visit.ask("readDecision", DecisionDetail, names={"decision": visit.name("decision")})
    rules = list(dict.fromkeys(one.rule for one in detail.findings if one.policy_rule and one.content != "hmac:"))
    return visit.page(
        "decision.html",
        f"Decision {detail.decision.id[:13]}",
        detail=detail,
        one=detail.decision,
        steps=detail.why,
        bodies=bodies,
        rules=rules,
        facts=_readable(detail.facts),
        until=(datetime.now(UTC) + _EXCUSED_FOR).date(),
    )


async def _bodies(visit: Visit) -> web.Response:
    """Show what is stored of it; that is asked for by a button, because it is noted who read it."""
    found = await visit.attempt("readDecisionBodies", BodyList, names={"decision": visit.name("decision")})
    return await _one(visit, found)


async def _excuse(visit: Visit) -> web.Response:
    """Make an exclusion of what was found, and a test if the text is given, as a draft of the policy."""
    body = visit.sent("rule", "until", "reason")
    if text := str(visit.typed.get("text", "")):
        body["text"] = text.replace("\r\n", "\n")
    draft = await visit.attempt(
        "markFalsePositive", ExclusionDraft, names={"decision": visit.name("decision")}, body=body
    )
    if draft is None:
        return await _one(visit)
    slug, _, app = draft.policy.partition("/")
    return visit.go(f"/console/policies/{app or '_'}/versions/{draft.version}", "draft", tenant=slug)


async def _label(visit: Visit) -> web.Response:
    """Say what it was, for the tenant's head."""
    names = {"decision": visit.name("decision")}
    done = await visit.attempt("labelDecision", Done, names=names, body=visit.sent("label"))
    return await _one(visit) if done is None else visit.go(visit.request.path, "saved")


async def _report(visit: Visit) -> web.Response:
    """Open an incident that holds this decision."""
    body = visit.sent("title", "severity") | {"decisions": [visit.name("decision")]}
    names = {"tenant": str(visit.typed.get("tenant", ""))}
    made = await visit.attempt("openIncident", IncidentDetail, names=names, body=body)
    if made is None:
        return await _one(visit)
    return visit.go(f"/console/incidents/{made.incident.id}", "created", tenant=made.incident.tenant)


def _readable(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return facts as pairs of words, those that say nothing left out."""
    return [(name.replace("_", " "), _words(value)) for name, value in sorted(facts.items()) if value not in ("", None)]


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(inner)}" for name, inner in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(_words(inner) for inner in value) or "none"
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


PAGES: Final = (
    Page(_LIST, _show),
    Page(_ONE, _one, MappingProxyType({"bodies": _bodies, "excuse": _excuse, "label": _label, "report": _report})),
)
