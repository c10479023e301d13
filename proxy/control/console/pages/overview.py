"""The overview: what passed and what was stopped, how fast, and what waits for somebody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from aiohttp import web

from proxy.control.answers.attention import Attention
from proxy.control.answers.decisions import DecisionList
from proxy.control.answers.incidents import IncidentList
from proxy.control.answers.judges import JudgeList
from proxy.control.answers.reviews import ReviewList
from proxy.control.answers.usage import Usage, UsagePoint
from proxy.control.console.charts import Bar
from proxy.control.console.figures import counted
from proxy.control.console.filters import period
from proxy.control.console.page import Page, Visit

_SERIES: Final = ("answered", "stopped", "failed")
_GRAINS: Final = MappingProxyType({"minute": (60, "%H:%M"), "hour": (3600, "%d %b %H:%M"), "day": (86400, "%d %b")})
_HOURS: Final = MappingProxyType({"1h": 1, "24h": 24, "7d": 168, "30d": 168})  # as far as gaps are looked for
_SHOWN: Final = 5
_MOST: Final = 3000  # points of a chart


@dataclass(frozen=True, slots=True)
class Need:
    """Something that waits for somebody: how urgent, in words, and where it is."""

    colour: str
    words: str
    path: str
    tenant: str = ""
    more: str = ""


async def _show(visit: Visit) -> web.Response:
    chosen, since = period(visit, "24h", ("1h", "24h", "7d", "30d"))
    asked = {"since": since, "until": datetime.now(UTC) + timedelta(minutes=1), "by": "tenant", "limit": 8}
    whose = {"tenant": visit.tenant} if visit.tenant else {}
    usage = await visit.look("readUsage", Usage, query=asked | whose)
    categories = await visit.look("readUsage", Usage, query=asked | whose | {"by": "category"})
    actions = await visit.look("readUsage", Usage, query=asked | whose | {"by": "action"})
    attention = await visit.look("readAttention", Attention, query={"hours": _HOURS[chosen]} | whose)
    blocks = await visit.look("searchDecisions", DecisionList, query={"action": "block", "limit": 8} | whose)
    return visit.page(
        "overview.html",
        "Overview",
        period=chosen,
        usage=usage,
        categories=categories,
        bars=[] if usage is None else series(usage),
        names=_SERIES,
        latency={} if usage is None else {one.name: one for one in usage.latencies},
        blocks=[] if blocks is None else blocks.items,
        actions={} if actions is None else {one.value: one.decisions for one in actions.shares},
        attention=attention,
        needs=await _needs(visit, attention),
    )


def over_time(usage: Usage) -> list[tuple[str, UsagePoint | None]]:
    """Return every minute, hour or day of the time asked for with its label, also those in which nothing happened."""
    step, form = _GRAINS[usage.grain]
    known = {point.at: point for point in usage.series}
    first = min([usage.since, *known])
    moment = datetime.fromtimestamp(first.timestamp() // step * step, UTC)
    found = list[tuple[str, UsagePoint | None]]()
    while moment <= min(usage.until, datetime.now(UTC)) and len(found) < _MOST:
        found.append((f"{moment:{form}}", known.get(moment)))
        moment += timedelta(seconds=step)
    return found


def series(usage: Usage) -> list[Bar]:
    """Return what happened over time, as a chart stacks it."""
    return [
        Bar(label, (max(one.decisions - one.blocked - one.failed, 0), one.blocked, one.failed) if one else (0, 0, 0))
        for label, one in over_time(usage)
    ]


async def _needs(visit: Visit, attention: Attention | None) -> list[Need]:
    """What waits, the most urgent first."""
    loaded = [*_policies(attention), *_signatures(attention)]
    return [
        *await _incidents(visit), *loaded, *await _reviews(visit), *await _breakers(visit), *_exclusions(attention),
    ]  # fmt: skip


async def _incidents(visit: Visit) -> list[Need]:
    whose = {"tenant": visit.tenant} if visit.tenant else {}
    listed = await visit.look("listIncidents", IncidentList, query={"status": "open", "limit": 5} | whose)
    return [
        Need(
            "red" if one.severity in {"critical", "high"} else "amber",
            one.title,
            f"/console/incidents/{one.id}",
            one.tenant,
            f"{one.severity} incident of {one.tenant}, {counted(one.decisions, 'decision')}",
        )
        for one in (listed.items if listed else ())
    ]


async def _reviews(visit: Visit) -> list[Need]:
    whose = {"tenant": visit.tenant} if visit.tenant else {}
    listed = await visit.look("listReviews", ReviewList, query={"limit": 50} | whose)
    if not listed or not listed.items:
        return []
    many = f"{len(listed.items)}{'+' if listed.next else ''}"
    words = f"{many} stopped {'request waits' if many == '1' else 'requests wait'} for a review"
    return [Need("amber", words, "/console/reviews", "", "Release them, or keep them stopped.")]


def _policies(attention: Attention | None) -> list[Need]:
    failed = attention.failed_policies if attention else []
    return [
        Need(
            "red", f"Policy {one.policy} did not load: an earlier one is in force", *_place_of(one.policy), one.problem
        )
        for one in failed[:_SHOWN]
    ]


def _signatures(attention: Attention | None) -> list[Need]:
    failed = attention.failed_signatures if attention else []
    words = "Signatures {} did not load: the last good ones are looked for, if there were any"
    return [
        Need("red", words.format(f"of {one.tenant}" if one.tenant else "for everybody"), "/console", "", one.problem)
        for one in failed[:_SHOWN]
    ]


def _exclusions(attention: Attention | None) -> list[Need]:
    ending = attention.ending_exclusions if attention else []
    if not ending:
        return []
    words = f"{counted(len(ending), 'exclusion')} {'ends' if len(ending) == 1 else 'end'} soon"
    first = ending[0]
    more = f"The first, of {first.rule} in {first.policy}, on {first.until}."
    return [Need("blue", words, "/console/exclusions", _place_of(first.policy)[1], more)]


def _place_of(policy: str) -> tuple[str, str]:
    """Return the page of a policy, and the tenant that it is about."""
    slug, _, app = policy.partition("/")
    return f"/console/policies/{app or '_'}", slug


async def _breakers(visit: Visit) -> list[Need]:
    listed = await visit.look("listJudges", JudgeList)
    if listed is None:
        return []
    away = [one.name for one in listed.items if one.breaker == "open"]
    away += [one.name for one in listed.upstreams if one.state == "open"]
    return [Need("amber", f"{name} is left alone: it failed in a row", "/console/judges") for name in away]


PAGES: Final = (Page("/console", _show),)
