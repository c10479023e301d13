"""The small evaluator that opens incidents: it looks for signs every half minute and tells endpoints."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from detectors.errors import StorageError
from proxy.control.incident_notices import IncidentNotices
from proxy.control.incident_settings import IncidentSettings
from storage.incident_signs import IncidentSigns, Thresholds
from storage.incidents import Incident, IncidentStore
from storage.postgres import Database

ACTOR: Final = "promptshield"
_LOG: Final = structlog.get_logger("promptshield.incidents")


class IncidentWatch:
    """One process's; of several that see a sign, one opens the incident and tells of it."""

    def __init__(self, settings: IncidentSettings, database: Database, notices: IncidentNotices) -> None:
        self._settings = settings
        self._signs = IncidentSigns(database, _thresholds(settings))
        self._store = IncidentStore(database)
        self._notices = notices

    async def close(self) -> None:
        await self._notices.close()

    async def run_forever(self) -> None:
        """Look again and again; while the database is away nothing is opened."""
        while True:
            try:
                await self.run_once()
            except StorageError as exc:
                _LOG.warning("signs of incidents could not be looked for", error=type(exc).__name__)
            await asyncio.sleep(self._settings.every)

    async def run_once(self) -> tuple[Incident, ...]:
        """Look once; return the incidents that were opened. Raises StorageError."""
        opened = []
        for sign in await self._signs.look():
            made = await self._store.open(sign, ACTOR, timedelta(minutes=self._settings.window))
            if made is None:
                continue
            incident_id, fresh = made
            if not fresh and not await self._store.raise_severity(incident_id, sign, ACTOR):
                continue
            incident = await self._store.find(incident_id, sign.tenant_id)
            if incident is None:
                continue
            self._notices.tell(incident, "opened" if fresh else "changed")
            if fresh:
                opened.append(incident)
        await self._notices.run_once()
        return tuple(opened)


def _thresholds(settings: IncidentSettings) -> Thresholds:
    return Thresholds(
        timedelta(minutes=settings.window),
        settings.spike_least,
        settings.spike_times,
        settings.blocks_of_key,
        settings.blocks_of_session,
    )
