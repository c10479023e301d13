"""Days ahead of the clock: the partitions of `decisions` are there before the first row that belongs into them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Final

from detectors.errors import StorageError
from storage.postgres import Database
from storage.types import Role

DAYS_AHEAD: Final = 2
_AGAIN: Final = 30.0  # seconds between tries of a day that a long reader holds up
_MOST_SETTLED: Final = 1000
_INTERVAL: Final = 3600.0  # seconds between looks when no traffic asks


class Partitions:
    """Makes the partitions of days, each once; a day that cannot have one is left to the default partition."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._clock = database, clock
        self._settled: frozenset[date] = frozenset()
        self._again_at: dict[date, float] = {}

    async def ensure(self, days: Iterable[date], today: date) -> None:
        """Make what is missing among `days` (UTC) and the two days after `today`.

        Usually without asking the database. A day held up by a long reader is tried again after half a minute, so
        that who writes meanwhile does not wait for it each time. Raises DatabaseUnavailableError.
        """
        wanted = {*days, *(today + timedelta(ahead) for ahead in range(DAYS_AHEAD + 1))} - self._settled
        now = self._clock()
        missing = sorted(day for day in wanted if self._again_at.get(day, now) <= now)
        if not missing:
            return
        # In a transaction of its own: attaching locks the default partition, and a batch may be long.
        async with self._database.transaction(Role.SHIP) as connection:
            rows = await connection.fetch("SELECT private.ensure_partitions($1) AS day", missing)
        made = {row["day"] for row in rows}
        # Odd days come from odd clocks; a process that met many of them starts over.
        self._settled = frozenset(made) | (self._settled if len(self._settled) < _MOST_SETTLED else frozenset())
        self._again_at = {day: now + _AGAIN for day in missing if day not in made}

    async def run_forever(self) -> None:
        """Make the days to come each hour, also when nothing is written; what fails is tried again sooner."""
        while True:
            try:
                await self.ensure((), datetime.now(UTC).date())
            except StorageError:
                await asyncio.sleep(_AGAIN)
            else:
                await asyncio.sleep(_INTERVAL)
