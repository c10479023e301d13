"""What people let pass after a look: as exclusions of the tenants' policies, on every worker within two seconds."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Protocol

from detectors.errors import StorageError
from policies.types import Exclusion, Policy
from storage.reviews import Release


class ReleaseReader(Protocol):
    async def released(self) -> tuple[Release, ...]: ...


class Releases:
    """Releases by tenant. A tenant without any costs one look into a dictionary."""

    def __init__(self, reader: ReleaseReader) -> None:
        self._reader = reader
        self._counter: int | None = None
        self._excused: dict[int, tuple[Exclusion, ...]] = {}
        self._policies: dict[tuple[int, str], tuple[Policy, Policy]] = {}  # as it is loaded, and with releases

    async def check(self, counter: int | None) -> None:
        """Read them anew if the counter of policies has moved. While the database is away, what is known stays."""
        if counter is None or counter == self._counter:
            return
        try:
            released = await self._reader.released()
        except StorageError:
            return
        excused = defaultdict[int, list[Exclusion]](list)
        for one in released:
            exclusion = Exclusion(one.rule, None, one.content, one.until, one.owner, one.reason)
            excused[one.tenant_id].append(exclusion)
        self._excused = {tenant: tuple(exclusions) for tenant, exclusions in excused.items()}
        self._policies, self._counter = {}, counter

    def applied(self, policy: Policy, tenant_id: int) -> Policy:
        """Return a tenant's policy with what was released for it. Its revision stays: the file is the same."""
        excused = self._excused.get(tenant_id)
        if excused is None:
            return policy
        known = self._policies.get((tenant_id, policy.id))
        if known is None or known[0] is not policy:
            known = self._policies[tenant_id, policy.id] = (policy, _excusing(policy, excused))
        return known[1]


def _excusing(policy: Policy, excused: tuple[Exclusion, ...]) -> Policy:
    """Return a policy with more exclusions, which its candidate has, too: it is the text that was looked at."""
    candidate = policy.candidate
    if candidate is not None:
        candidate = replace(candidate, policy=_excusing(candidate.policy, excused))
    return replace(policy, exclusions=(*policy.exclusions, *excused), candidate=candidate)
