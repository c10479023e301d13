"""Usage and cost by tenant, app, model and day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from detectors.errors import OperationError
from proxy.control.access.types import Permission
from proxy.control.answers.usage import ShownLatency, Usage, UsagePoint, UsageQuery, UsageShare
from proxy.control.api.decisions import dollars
from proxy.control.operations import Call, Operation
from storage.decisions.rollup_reader import MINUTES_KEPT, Latency, Point, RollupReader, Span
from storage.decisions.usage_reader import UsageReader, UsageSums

_WEEK: Final = timedelta(days=7)
_LONGEST: Final = timedelta(days=400)  # rollups are kept no longer
_SHARES: Final = (0.5, 0.95, 0.99)
_BY_MINUTES: Final = ("tenant", "app")


async def _usage(call: Call) -> Usage:
    query = call.asked(UsageQuery)
    span = _span(query, call.tenant_id)
    reader, sums = RollupReader(call.parts.database), UsageReader(call.parts.database, call.tenant_id)
    grain: Any = span.grain
    return Usage(
        since=span.since,
        until=span.until,
        grain=grain,
        total=_share(await sums.total(span)),
        series=await _series(reader, sums, span, query),
        shares=[_share(one) for one in await sums.shares(span, query.by, query.limit)],
        latencies=[await _latency(reader, span, name) for name in ("overhead", "upstream", "total")],
    )


async def _series(reader: RollupReader, sums: UsageReader, span: Span, query: UsageQuery) -> list[UsagePoint]:
    if query.value is None:
        return [_point(point.at, point) for point in await reader.series(span)]
    if query.by == "tenant":
        raise OperationError(422, "invalid_field", "Name a tenant by `tenant`.", "value")
    return [_point(at, one) for at, one in await sums.series(span, query.by, query.value)]


def _span(query: UsageQuery, tenant_id: int | None) -> Span:
    until = query.until or datetime.now(UTC)
    since = query.since or until - _WEEK
    if since >= until:
        raise OperationError(422, "invalid_field", "must lie before `until`", "since")
    if until - since > _LONGEST:
        raise OperationError(422, "invalid_field", "must lie at most 400 days before `until`", "since")
    # All of an answer is of the same time, and by the minute only tenants and apps are told apart.
    by_minutes = query.by in _BY_MINUTES and since > datetime.now(UTC) - MINUTES_KEPT
    return Span(since, until, tenant_id, by_minutes=by_minutes)


async def _latency(reader: RollupReader, span: Span, name: Literal["overhead", "upstream", "total"]) -> ShownLatency:
    p50, p95, p99 = await reader.percentiles(span, Latency(name), _SHARES)
    return ShownLatency(name=name, p50=p50, p95=p95, p99=p99)


def _point(at: datetime, point: Point | UsageSums) -> UsagePoint:
    known = {name: getattr(point, name) for name in UsagePoint.model_fields if hasattr(point, name)}
    return UsagePoint(**(known | {"at": at, "cost_usd": dollars(getattr(point, "cost_micros", 0))}))


def _share(sums: UsageSums) -> UsageShare:
    known = {name: getattr(sums, name) for name in UsageShare.model_fields if hasattr(sums, name)}
    return UsageShare(**(known | {"cost_usd": dollars(sums.cost_micros)}))


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "readUsage", "GET", "/api/v1/usage", Permission.USAGE_READ,
        "Decisions, tokens, cost and latency over a span, in time and told apart.", Usage, _usage, query=UsageQuery,
    ),
)  # fmt: skip
