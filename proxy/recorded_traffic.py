"""A tenant's part of the decision log as policies are held against it, row by row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from detectors.errors import StorageError
from policies.recorded import Catalogue, Recorded
from policies.replay import Replay, Tally
from policies.types import Policy
from proxy.app import Detection
from storage.postgres import Database, Row
from storage.recorded_decisions import recorded_decisions
from storage.tenants import TenantStore

_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Traffic:
    """Which recorded decisions a policy is held against: those of an app, or of all without a policy of their own."""

    tenant: str
    app: str | None
    since: datetime

    async def rows(self, database: Database) -> AsyncIterator[Recorded]:
        """Yield them, oldest first. Raises StorageError."""
        tenant = await TenantStore(database).find(self.tenant)
        if tenant is None:
            raise StorageError(f'there is no tenant "{self.tenant}"')
        async for page in recorded_decisions(database, tenant.id, self.since):
            for row, app in page:
                if self._concerns(row, app):
                    yield _recorded(row, self.tenant, app)

    def _concerns(self, row: Row, app: str) -> bool:
        if self.app is not None:
            return app == self.app
        return bool(row["policy_id"] != f"{self.tenant}/{app}")  # that app has a policy of its own


async def tally_of(
    policy: Policy, detection: Detection, wanted: Traffic, database: Database, samples: int = 3
) -> Tally:
    """Replay a policy over traffic. Raises StorageError."""
    again = Replay(policy, Catalogue.of(detection.rules), detection.actions, samples)
    async for recorded in wanted.rows(database):
        again.take(recorded)
        if again.tally.decisions % _AT_ONCE == 0:  # others are served meanwhile
            await asyncio.sleep(0)
    return again.tally


def _recorded(row: Row, tenant: str, app: str) -> Recorded:
    return Recorded(
        row["id"], row["at"], tenant, app, row["key_id"], row["dialect"], row["route"], row["model"], row["upstream"],
        row["streaming"], row["network"], row["outcome"], row["intended_action"], row["scores"],
        row["scores_overflow"], row["facts"], row["coverage"], row["degraded"], row["policy_revision"],
    )  # fmt: skip
