"""Purging what is due: in the database, in Redis, heads, and the files of policies, which are only set aside."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Final

import structlog

from detectors.errors import StorageError
from policies.testing import TEST_FILES
from proxy.settings import Settings
from storage.chains.retired import Retirement
from storage.postgres import Database
from storage.redis_client import RedisClient
from storage.tenants.purge import Purge, Purged

RETIRED: Final = ".retired"  # hidden: no policy is looked for in it
_EVERY: Final = 10.0
_LOG: Final = structlog.get_logger("promptshield.purge")


class Purging:
    """One instance's. Of several that see a tenant is due, the one that comes second finds nothing left."""

    def __init__(self, settings: Settings, database: Database, redis: RedisClient, retirement: Retirement) -> None:
        self._settings, self._redis = settings, redis
        self._purge = Purge(database, retirement)

    async def run_forever(self) -> None:
        while True:
            try:
                await self.run_once()
            except (StorageError, OSError) as exc:
                _LOG.warning("a tenant could not be purged: it is tried again", problem=str(exc))
            await asyncio.sleep(_EVERY)

    async def run_once(self) -> None:
        """Purge whoever is due, and set aside the policies of whoever is gone. Raises StorageError, OSError."""
        for tenant in await self._purge.due():
            counts = await self._purge.run(tenant)
            _LOG.info("a tenant was purged", tenant=tenant.id, records=sum(counts.values()))
        for purged in await self._purge.gone():
            await self._redis.drop_prefix(f"tenant:{{{purged.tenant_id}}}:")
            await asyncio.to_thread(self._retire_policies, purged)
            await asyncio.to_thread(_delete, self._settings.heads_folder / str(purged.tenant_id))

    def _retire_policies(self, purged: Purged) -> None:
        """Set aside the files under a slug, or whoever gets it next would get them, too."""
        folder = self._settings.policies_folder
        place = folder / RETIRED / f"{purged.slug}-{purged.tenant_id}"
        for name in (purged.slug, f"{purged.slug}.yaml", f"{purged.slug}{TEST_FILES}"):
            if _is_older(folder / name, purged):
                place.mkdir(parents=True, exist_ok=True)
                shutil.move(folder / name, place / name)
            _delete(self._settings.data / "last-good-policies" / name)
        signatures = self._settings.data / "signatures" / purged.slug
        if _is_older(signatures, purged):
            place.mkdir(parents=True, exist_ok=True)
            shutil.move(signatures, place / "signatures")
        _delete(self._settings.data / "last-good-signatures" / purged.slug)


def _is_older(file: Path, purged: Purged) -> bool:
    """Whether a file is the purged tenant's; a younger one may already be for somebody who gets the slug anew."""
    return file.exists() and file.stat().st_mtime < purged.purged_at.timestamp()


def _delete(file: Path) -> None:
    if file.is_dir():
        shutil.rmtree(file, ignore_errors=True)
    else:
        file.unlink(missing_ok=True)
