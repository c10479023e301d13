"""A rule as its author writes it, and how it becomes one that decides."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from detectors.names import SeverityName
from detectors.types import Direction, Severity
from policies.conditions import compile_condition
from policies.matcher import Circumstances, Match, TimeWindow
from policies.schema_words import (
    WEEKDAYS,
    AnyListed,
    Categories,
    Clock,
    Dialects,
    Keys,
    Languages,
    Listed,
    Names,
    Networks,
    Origins,
    RuleAction,
    Slug,
    Strict,
    Weekdays,
    Zone,
)
from policies.types import ActionName, Route, Rule


def _route(name: str) -> str:
    if name.startswith("/"):
        raise ValueError(f"a route begins with its method, such as 'POST {name}', or '* {name}' for any")
    return name


RouteNames = Annotated[tuple[Annotated[str, AfterValidator(_route)], ...], *Listed]


class TimeDocument(Strict):
    """A part of the day: `{from: "22:00", to: "06:00", zone: Europe/Berlin, days: [mon, fri]}`, the end left out.

    Of a night that passes midnight, `days` names the evening.
    """

    begin: Clock = Field(alias="from")
    end: Clock = Field(alias="to")
    zone: Zone = Field(default="UTC", validate_default=True)
    days: Weekdays = ()

    @model_validator(mode="after")
    def _some(self) -> TimeDocument:
        if self.begin == self.end:
            raise ValueError("'from' and 'to' are the same time")
        return self


class WhenDocument(Strict):
    """Which findings, in which circumstances, a rule is about; every key that is given must hold, of a list any one.

    Names of models, upstreams, routes and apps may hold `*`.
    """

    category: Categories = ()
    origin: Origins = ()
    direction: Direction | None = None
    rule: Names = ()
    tag: Names = ()
    kind: Names = ()
    min_confidence: float = Field(default=0.0, ge=0, le=1)
    min_severity: SeverityName = Severity.LOW
    max_level: int | None = Field(default=None, ge=1, le=4)
    min_score: float = Field(default=0.0, ge=0, le=1000)
    model: Names = ()
    upstream: Names = ()
    dialect: Dialects = ()
    route: RouteNames = ()
    key: Keys = ()
    app: Names = ()
    role: Names = ()
    language: Languages = ()
    network: Networks = ()
    not_network: Networks = ()
    time: TimeDocument | None = None
    min_cost: float = Field(default=0.0, ge=0)
    min_risk: float = Field(default=0.0, ge=0)


class GoesDocument(Strict):
    """Where a request goes instead."""

    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    upstream: Annotated[str, Field(min_length=1, max_length=64)] | None = None

    @model_validator(mode="after")
    def _somewhere(self) -> GoesDocument:
        if self.model is None and self.upstream is None:
            raise ValueError("a route names a model, an upstream, or both")
        return self


class RuleDocument(Strict):
    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["when"]}, {"required": ["if"]}]})
    id: Slug
    when: WhenDocument = Field(default_factory=WhenDocument)
    condition: str | None = Field(default=None, alias="if")
    action: RuleAction
    route: GoesDocument | None = None
    labels: Annotated[tuple[Slug, ...], Field(max_length=8), *AnyListed] = ()
    review: bool = False

    @model_validator(mode="after")
    def _sensible(self) -> RuleDocument:
        if "when" not in self.model_fields_set and self.condition is None:
            raise ValueError("missing key 'when', or an 'if'")
        if self.review and self.action != "block":
            raise ValueError("review is for what is blocked")
        if self.route is not None and self.action == "block":
            raise ValueError("what is blocked goes nowhere: a rule with a route cannot block")
        return self


def rule_of(document: RuleDocument) -> Rule:
    """Return the rule that decides. Raises ValueError for a condition that cannot be used."""
    when, goes = document.when, document.route
    match = Match(
        category=frozenset(when.category),
        origin=frozenset(when.origin),
        direction=when.direction,
        rule=frozenset(when.rule),
        tag=frozenset(when.tag),
        kind=frozenset(when.kind),
        min_confidence=when.min_confidence,
        min_severity=when.min_severity,
        max_level=when.max_level,
    )
    return Rule(
        id=document.id,
        match=match,
        action=ActionName(document.action),
        where=_circumstances(when),
        condition=None if document.condition is None else compile_condition(document.condition),
        route=None if goes is None else Route(goes.model or "", goes.upstream or ""),
        labels=document.labels,
        review=document.review,
    )


def _circumstances(when: WhenDocument) -> Circumstances | None:
    given: dict[str, Any] = {
        "model": when.model,
        "upstream": when.upstream,
        "route": when.route,
        "app": when.app,
        "dialect": frozenset(when.dialect),
        "key": frozenset(when.key),
        "role": frozenset(when.role),
        "language": frozenset(when.language),
        "network": when.network,
        "not_network": when.not_network,
        "time": None if when.time is None else window_of(when.time),
        "min_cost": when.min_cost,
        "min_risk": when.min_risk,
        "min_score": when.min_score,
    }
    return Circumstances(**given) if any(given.values()) else None


def window_of(document: TimeDocument) -> TimeWindow:
    days = frozenset(WEEKDAYS.index(day) for day in document.days)
    return TimeWindow(document.begin, document.end, document.zone, days)
