"""What waits for somebody: what did not load, exclusions that end soon, and what nobody looked at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from proxy.control.access.types import Permission
from proxy.control.answers.attention import Attention, AttentionQuery, EndingExclusion, FailedPack, FailedPolicy, Gap
from proxy.control.operations import Call, Operation
from proxy.control.policy_desk import without_folders
from storage.decisions.coverage_gaps import coverage_gaps

_MOST: Final = 100  # of each kind
_SOON: Final = timedelta(days=14)


async def _attention(call: Call) -> Attention:
    query = call.asked(AttentionQuery)
    await call.parts.policies.reload()
    since = datetime.now(UTC) - timedelta(hours=query.hours)
    gaps = await coverage_gaps(call.parts.database, call.tenant_id, since)
    return Attention(
        failed_policies=list(_failed(call))[:_MOST],
        failed_signatures=list(_refused_packs(call))[:_MOST],
        ending_exclusions=sorted(_ending(call), key=lambda one: one.until)[:_MOST],
        gaps=[Gap(reason=reason, decisions=count) for reason, count in gaps.by_reason[:_MOST]],
        looked_at=gaps.looked_at,
    )


def _failed(call: Call) -> Iterator[FailedPolicy]:
    for name, problem in sorted(call.parts.policies.failures.items()):
        if _is_of(call, name):
            yield FailedPolicy(policy=name, problem=without_folders(call.parts, problem))


def _refused_packs(call: Call) -> Iterator[FailedPack]:
    for name, problem in sorted(call.parts.screen.refused_packs.items()):
        if call.tenant is None or name == call.tenant.slug:
            yield FailedPack(tenant=name or None, problem=without_folders(call.parts, problem))


def _ending(call: Call) -> Iterator[EndingExclusion]:
    today = datetime.now(UTC).date()
    for name, policy in sorted(call.parts.policies.policies.items()):
        for one in policy.exclusions:
            if _is_of(call, name) and today <= one.until <= today + _SOON:
                yield EndingExclusion(policy=name, rule=one.rule, until=one.until)


def _is_of(call: Call, policy: str) -> bool:
    """Whether a policy's name is that of the tenant or of one of its apps; without a tenant it is about all."""
    return call.tenant is None or policy.partition("/")[0] == call.tenant.slug


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "readAttention", "GET", "/api/v1/attention", Permission.DECISIONS_READ,
        "What waits for somebody: what did not load, exclusions that end soon, gaps of coverage.",
        Attention, _attention, query=AttentionQuery,
    ),
)  # fmt: skip
