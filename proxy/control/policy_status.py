"""`/policy/status`: which revision of each policy is in force, what is worth knowing of it, and why a file is not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from policies.candidates import is_live
from policies.remarks import remarks
from policies.store import PolicyStore
from policies.types import Policy


async def policy_status(policies: PolicyStore) -> dict[str, Any]:
    """Look at the policies' folder as the workers do, and say what is found there."""
    await policies.reload()
    now = datetime.now(UTC)
    failed = [{"policy": name, "problem": problem} for name, problem in sorted(policies.failures.items())]
    in_force = [_described(name, policy, now) for name, policy in sorted(policies.policies.items())]
    return {"ok": not failed, "failed": failed, "policies": in_force}


def _described(name: str, policy: Policy, now: datetime) -> dict[str, Any]:
    candidate = policy.candidate
    described: dict[str, Any] = {"policy": name, "revision": policy.revision, "mode": str(policy.mode)}
    if candidate is not None and is_live(candidate, now.timestamp()):
        described["candidate"] = {
            "revision": candidate.policy.revision,
            "until": candidate.until.isoformat(),
            "sample": candidate.sample,
            "rollout": candidate.rollout,
        }
    found = remarks(policy, now.date())
    return {**described, "remarks": list(found)} if found else described
