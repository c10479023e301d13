"""`/policy/status`: which revision of each policy is in force, what is worth knowing of it, and why a file is not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from detectors.errors import AccessError
from policies.candidates import is_live
from policies.remarks import remarks
from policies.store import PolicyStore
from policies.types import Policy
from proxy.control.access.guard import principal_of
from proxy.control.access.types import Permission
from proxy.control.parts import ControlParts

_LOCAL: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_PASSED_ON: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")


async def insist_on_operator(parts: ControlParts, request: web.Request) -> None:
    """Let in who sits on this machine, where the files lie anyway, and who signed in for the whole platform.

    It names every tenant that has a policy. A name of this machine in `Host` keeps out pages of other sites that a
    browser here was led to; what a reverse proxy passes on comes from somewhere else. Raises AccessError.
    """
    host = request.url.host or ""
    is_local = (request.remote or "") in _LOCAL and host in _LOCAL
    if is_local and not any(name in request.headers for name in _PASSED_ON):
        return
    principal = await principal_of(parts.access, request)
    if not principal.may(Permission.POLICIES_READ, None):
        raise AccessError(403, "not_allowed", "This is for administrators of the platform.")


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
