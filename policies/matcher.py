"""What a rule may ask for: of a finding (Match), of the circumstances it was found in, and in words of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from detectors.types import Category, Direction, Finding, Origin, Severity
from policies.facts import Facts

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Match:
    """The conditions on a finding; an empty one holds for every finding. All that are given must hold."""

    category: frozenset[Category] = frozenset()
    origin: frozenset[Origin] = frozenset()
    direction: Direction | None = None
    rule: frozenset[str] = frozenset()
    tag: frozenset[str] = frozenset()
    kind: frozenset[str] = frozenset()
    min_confidence: float = 0.0
    min_severity: Severity = Severity.LOW
    max_level: int | None = None

    def holds(self, finding: Finding) -> bool:
        hit, segment = finding.hit, finding.segment
        return (
            hit.confidence >= self.min_confidence
            and hit.severity >= self.min_severity
            and (not self.category or hit.category in self.category)
            and (not self.origin or segment.origin in self.origin)
            and (self.direction is None or segment.direction is self.direction)
            and (not self.rule or hit.rule_id in self.rule)
            and (not self.kind or hit.kind in self.kind)
            and (not self.tag or not self.tag.isdisjoint(hit.tags))
            and (self.max_level is None or hit.level <= self.max_level)
        )


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """From `begin` to before `end` in a zone, on the days (Monday is 0) on which it begins; it may pass midnight."""

    begin: time
    end: time
    zone: ZoneInfo
    days: frozenset[int]

    def contains(self, at: float) -> bool:
        now = datetime.fromtimestamp(at, self.zone)
        clock, began = now.time(), now
        if self.begin < self.end:
            inside = self.begin <= clock < self.end
        else:
            inside = clock >= self.begin or clock < self.end
            if clock < self.end:
                began = now - timedelta(days=1)
        return inside and (not self.days or began.weekday() in self.days)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The conditions on everything but the finding. Names of `model`, `upstream`, `route` and `app` are patterns, and
    `dialect` is the family: `openai` of `openai_chat`.

    Of a request that names several models one that is meant is enough, since any of them may answer.
    An address that is unknown lies in no network, and so outside of each.
    """

    model: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    route: tuple[str, ...] = ()
    app: tuple[str, ...] = ()
    dialect: frozenset[str] = frozenset()
    key: frozenset[int] = frozenset()
    role: frozenset[str] = frozenset()
    language: frozenset[str] = frozenset()
    network: tuple[Network, ...] = ()
    not_network: tuple[Network, ...] = ()
    time: TimeWindow | None = None
    min_cost: float = 0.0
    min_risk: float = 0.0
    min_score: float = 0.0

    def hold(self, facts: Facts, score: float) -> bool:
        """Tell whether all that are given hold. `score` is the sum of what was found (`Situation.score`)."""
        return (
            score >= self.min_score
            and facts.cost >= self.min_cost
            and facts.risk >= self.min_risk
            and (not self.dialect or facts.dialect.partition("_")[0] in self.dialect)
            and (not self.key or facts.key_id in self.key)
            and (not self.role or not self.role.isdisjoint(facts.roles))
            and (not self.language or facts.language in self.language)
            and (_named(facts.model, self.model) or any(_named(model, self.model) for model in facts.fallbacks))
            and _named(facts.upstream, self.upstream)
            and _named(facts.route, self.route)
            and _named(facts.app, self.app)
            and (not self.network or _inside(facts.network, self.network))
            and (not self.not_network or not _inside(facts.network, self.not_network))
            and (self.time is None or self.time.contains(facts.at))
        )


class Condition(Protocol):
    """A condition in words of its own (`if:`). `names` are the words that it reads, of `policies/situation.py`."""

    @property
    def source(self) -> str: ...
    @property
    def names(self) -> frozenset[str]: ...
    def holds(self, values: dict[str, Any]) -> bool:
        """Tell whether it holds for the values of its names. One that fails holds: what it guards is not let go."""


def _named(name: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _inside(network: str, networks: tuple[Network, ...]) -> bool:
    try:
        address = ip_address(network)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in known for known in networks)
