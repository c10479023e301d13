"""Requests that got no usable answer, for a moment: whoever tries again is not charged twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

from detectors.errors import StorageError
from storage.limits.link import Link
from storage.redis_client import RedisClient

KEPT_SECONDS: Final = 120  # SDKs try again within seconds
_MOST: Final = 8  # names of amounts
_LARGEST: Final = 1 << 50


class Attempts:
    """What was charged for a failed attempt, by the digest of tenant, key and body. While Redis is away: nothing."""

    def __init__(self, redis: RedisClient, link: Link) -> None:
        self._redis, self._link = redis, link

    async def note(self, tenant_id: int, digest: str, charged: Mapping[str, int]) -> None:
        """Remember what an attempt was charged that came to nothing."""
        if charged and self._link.usable():
            try:
                with self._link.call():
                    await self._redis.set_many({_name(tenant_id, digest): orjson.dumps(dict(charged))}, KEPT_SECONDS)
            except StorageError:
                return

    async def take_over(self, tenant_id: int, digest: str) -> Mapping[str, int]:
        """Return what an earlier attempt of the same request was charged, once; empty where none is known."""
        if not self._link.usable():
            return {}
        try:
            with self._link.call():
                found = await self._redis.take_value(_name(tenant_id, digest))
        except StorageError:
            return {}
        return {} if found is None else _amounts(found)


def _amounts(raw: bytes) -> dict[str, int]:
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(document, dict) or len(document) > _MOST:
        return {}
    return {name: value for name, value in document.items() if type(value) is int and 0 <= value <= _LARGEST}


def _name(tenant_id: int, digest: str) -> str:
    return f"tenant:{{{tenant_id}}}:attempt:{digest}"
