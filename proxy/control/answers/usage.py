"""Usage and cost, out of the rollups."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from proxy.control.fields import Line, Moment, Sent, SentMoment, Shown, Slug

Grouping = Literal["tenant", "app", "model", "outcome", "action", "category"]


class UsageQuery(Sent):
    """[`since`, `until`), by default the last seven days; `by` what the sums are told apart.

    All is counted from the start of a minute, hour or day, which `grain` tells; minutes are of tenants and apps alone,
    for 34 days. With a `value` (an app's name, a model and the like) the series is of that alone.
    """

    tenant: Slug | None = None
    since: SentMoment | None = None
    until: SentMoment | None = None
    by: Grouping = "app"
    value: Annotated[Line, Field(min_length=1)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class UsagePoint(Shown):
    """One minute, hour or day."""

    at: Moment
    decisions: int
    blocked: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None


class UsageShare(Shown):
    value: str
    decisions: int
    blocked: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None


class ShownLatency(Shown):
    """Milliseconds that half, 95 % and 99 % of the decisions stayed below, about."""

    name: Literal["overhead", "upstream", "total"]
    p50: float
    p95: float
    p99: float


class Usage(Shown):
    since: Moment
    until: Moment
    grain: Literal["minute", "hour", "day"]
    total: UsageShare
    series: list[UsagePoint]
    shares: list[UsageShare]
    latencies: list[ShownLatency]
