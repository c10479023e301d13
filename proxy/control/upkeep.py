"""What the control plane does for the decision log beside shipping it: sign checkpoints, end what has had its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from detectors.errors import PolicyError, StorageError
from policies.store import PolicyStore
from policies.types import Policy
from proxy.control.retention_wishes import retention_wishes
from proxy.settings import Settings
from storage.accounts.expiry import AccountExpiry
from storage.chains.chain import RememberedHeads
from storage.chains.checkpoints import Checkpointer
from storage.chains.ledger import CheckpointSink, Ledger, Signer
from storage.chains.retired import Retirement
from storage.chains.signing import SigningKey, read_successions
from storage.chains.statement_file import StatementFile
from storage.decisions.body_retention import BodyRetention
from storage.decisions.labels import Labels
from storage.decisions.partitions import Partitions
from storage.decisions.retention import Retention, Wishes
from storage.keys.house_keys import HouseKeys
from storage.postgres import Database
from storage.provider_objects import ProviderObjects
from storage.reviews import ReviewQueue
from storage.tenants.tenants import TenantStore

_LOG: Final = structlog.get_logger("promptshield.upkeep")
_HOUR: Final = 3600.0
_AGAIN: Final = 60.0  # seconds until the next try of what failed


@dataclass(slots=True)
class UpkeepCounts:
    """Since the process began; what fails is tried again."""

    checkpoints: int = 0
    checkpoint_failures: int = 0
    retention_failures: int = 0


class Upkeep:
    """One instance's. How long decisions and bodies are kept is what the policies in force say, asked each hour."""

    def __init__(
        self,
        settings: Settings,
        house_keys: HouseKeys,
        database: Database,
        heads: RememberedHeads,
        policies: PolicyStore,
        instance: str,
        sinks: Sequence[CheckpointSink] = (),
    ) -> None:
        signer = Signer(instance, SigningKey(house_keys.signing), read_successions(settings.keys_folder))
        ledger = Ledger(database, signer, StatementFile(settings.checkpoints_folder, instance), sinks)
        self._checkpointer = Checkpointer(database, ledger, heads)
        self.retirement = Retirement(ledger, self._checkpointer)
        self._retention = Retention(database, self.retirement)
        self._bodies, self._partitions = BodyRetention(database), Partitions(database)
        self._objects, self._reviews, self._labels = ProviderObjects(database), ReviewQueue(database), Labels(database)
        self._accounts = AccountExpiry(database)
        self._tenants, self._policies = TenantStore(database), policies
        self._failures = 0

    @property
    def counts(self) -> UpkeepCounts:
        signed = self._checkpointer.counts
        return UpkeepCounts(signed.signed, signed.failures, self._failures)

    async def run_forever(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._checkpointer.run_forever())
            group.create_task(self._partitions.run_forever())
            group.create_task(self._expire_forever())

    async def finish(self, patience: float) -> None:
        """Sign once more, at an orderly end, when everything is shipped; `patience` is in seconds."""
        try:
            async with asyncio.timeout(patience):
                await self._checkpointer.checkpoint()
        except (StorageError, TimeoutError) as exc:
            _LOG.warning("the last decisions are not signed yet: the next start does it", error=type(exc).__name__)

    async def _expire_forever(self) -> None:
        while True:
            try:
                done = await self.expire()
            except (StorageError, PolicyError) as exc:
                self._failures += 1
                _LOG.warning("retention could not finish", problem=str(exc))
                done = False
            await asyncio.sleep(_HOUR if done else _AGAIN)

    async def expire(self) -> bool:
        """Remove what has outlived the policies in force; return whether nothing had to be put off.

        Raises StorageError, and PolicyError for a policy that cannot be known: its tenant's decisions are not to go by
        somebody else's.
        """
        await self._policies.recover()
        now = datetime.now(UTC)
        bodies = await self._wishes(lambda policy: policy.retain_bodies_days)
        await self._bodies.run_once(now, bodies.days, bodies.fallback)
        await self._objects.expire()
        await self._reviews.expire()
        await self._labels.expire()
        await self._accounts.run_once()
        decisions = await self._wishes(lambda policy: policy.retain_days)
        expiry = await self._retention.run_once(now, decisions.days, decisions.fallback)
        return not expiry.postponed_days

    async def _wishes(self, days: Callable[[Policy], int]) -> Wishes:
        """Each tenant's longest, over its own policy and its apps'; whoever may still be restored keeps all of it."""
        return retention_wishes(self._policies.policies, await self._tenants.kept(), days)
