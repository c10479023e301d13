"""What is known of texts that a tenant sends again and again (system prompts, tools), kept for workers that begin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from detectors.batch import StageHits
from detectors.errors import StorageError
from storage.findings_format import dump_hits, load_hits
from storage.redis_client import RedisClient

MOST: Final = 256  # texts of one tenant, times the steps that read each
KEPT: Final = 7 * 24 * 3600  # seconds after the last one was added
_KEY_SIZE: Final = 128  # characters


class PinnedFindings:
    """One hash of Redis for each tenant, values sealed for their place. Never raises: what is away is not known."""

    def __init__(self, redis: RedisClient, key: bytes) -> None:
        self._redis, self._key = redis, key

    async def load(self, tenant_id: int) -> Mapping[bytes, StageHits]:
        """Return all that is pinned for a tenant, by the keys of the findings cache."""
        place = _place(tenant_id)
        try:
            stored = await self._redis.hash_values(place, MOST)
        except StorageError:
            return {}
        known: dict[bytes, StageHits] = {}
        for field, value in stored.items():
            name = field.decode("ascii", "replace")
            found = load_hits(value, f"{place}/{name}", self._key)
            if found is not None and len(name) <= _KEY_SIZE:
                known[bytes.fromhex(name)] = found  # sealed by us, so it is a number
        return known

    async def keep(self, tenant_id: int, found: Mapping[bytes, StageHits]) -> None:
        """Pin more for a tenant, as long as there is room."""
        place = _place(tenant_id)
        dumped = {key.hex(): dump_hits(hits, f"{place}/{key.hex()}", self._key) for key, hits in found.items()}
        values = {name: value for name, value in dumped.items() if value is not None}
        try:
            if values:
                await self._redis.hash_add(place, values, MOST, KEPT)
        except StorageError:
            return


def _place(tenant_id: int) -> str:
    return f"tenant:{{{tenant_id}}}:pinned"
