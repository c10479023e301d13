"""A tenant's part of the decision log as policies are held against it, row by row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from detectors.errors import UnknownTenantError
from policies.recorded import Catalogue, Recorded
from policies.replay import Replay, Tally
from policies.types import Policy
from proxy.app import Detection
from proxy.rescanning import AT_ONCE, Rescan
from storage.decisions.recorded import quiet_decisions, recorded_decisions
from storage.postgres import Database, Row
from storage.tenants.tenants import TenantStore
from storage.types import Tenant

_PAUSE_AFTER: Final = 500  # decisions, after which others are served


@dataclass(frozen=True, slots=True)
class Traffic:
    """Which recorded decisions a policy is held against: those of an app, or of all without a policy of their own."""

    tenant: str
    app: str | None
    since: datetime

    async def rows(
        self, database: Database, until: datetime | None = None, *, quiet: bool = True
    ) -> AsyncIterator[Recorded]:
        """Yield them, oldest first; without `quiet`, only those that a policy can decide otherwise.

        Raises StorageError.
        """
        tenant = await self._owner(database)
        async for page in recorded_decisions(database, tenant.id, self.since, until, quiet=quiet):
            for row, app in page:
                if self._concerns(app, row["policy_id"]):
                    yield _recorded(row, self.tenant, app)

    async def quiet(self, database: Database, until: datetime) -> int:
        """Return how many there are that no policy decides otherwise. Raises StorageError."""
        tenant = await self._owner(database)
        found = quiet_decisions(database, tenant.id, self.since, until)
        return sum([count async for app, policy, count in found if self._concerns(app, policy)])

    async def _owner(self, database: Database) -> Tenant:
        tenant = await TenantStore(database).find(self.tenant)
        if tenant is None:
            raise UnknownTenantError(f'there is no tenant "{self.tenant}": say whose decisions with --tenant')
        return tenant

    def _concerns(self, app: str, policy: str) -> bool:
        if self.app is not None:
            return app == self.app
        return policy != f"{self.tenant}/{app}"  # that app has a policy of its own


def may_decide(policy: str, tenant: str) -> bool:
    """Tell whether the policy of that name may have decided a tenant's requests: its own, an app's, or the default."""
    return policy.partition("/")[0] in {tenant, "default"}


async def tally_of(
    policy: Policy,
    detection: Detection,
    wanted: Traffic,
    database: Database,
    samples: int = 3,
    rescan: Rescan | None = None,
    known: Iterable[Policy] = (),
) -> Tally:
    """Replay a policy over traffic, with `rescan` over the texts of then where they are kept; `known` are policies that
    rows may have been decided by. Raises StorageError.
    """
    again = Replay(policy, Catalogue.of(detection.rules), detection.actions, samples, known)
    until, every_row = datetime.now(UTC), rescan is not None or again.reads_every_row
    if not every_row:
        again.pass_over(await wanted.quiet(database, until))
    waiting: list[Recorded] = []
    async for recorded in wanted.rows(database, until, quiet=every_row):
        if rescan is None:
            again.take(recorded)
            if again.tally.decisions % _PAUSE_AFTER == 0:
                await asyncio.sleep(0)
            continue
        waiting.append(recorded)
        if len(waiting) >= AT_ONCE:
            await _take_scanned(again, rescan, waiting)
            waiting.clear()
    if rescan is not None:
        await _take_scanned(again, rescan, waiting)
    return again.tally


async def _take_scanned(again: Replay, rescan: Rescan, rows: Sequence[Recorded]) -> None:
    seen = await rescan.scan(rows)
    for row in rows:
        again.take(row, seen.get(row.id))


def _recorded(row: Row, tenant: str, app: str) -> Recorded:
    return Recorded(
        row["id"], row["at"], tenant, app, row["key_id"], row["dialect"], row["route"], row["model"], row["upstream"],
        row["streaming"], row["network"], row["outcome"], row["intended_action"], row["scores"],
        row["scores_overflow"], row["facts"], row["coverage"], row["degraded"], row["policy_revision"], row["hashed"],
    )  # fmt: skip
