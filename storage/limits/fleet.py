"""How many workers there are over all instances, as their heartbeats in Redis tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from detectors.errors import StorageError
from storage.limits.link import Link
from storage.redis_client import RedisClient, Script

KEY: Final = "promptshield:workers"
ALIVE_SECONDS: Final = 10.0  # a worker that was not heard of for so long is none any more
MOST: Final = 100_000


class Fleet:
    """This worker's place among all that share one Redis. `own` says how many its own instance has.

    While Redis is away the last count holds, so that all shares together stay one limit.
    """

    def __init__(self, redis: RedisClient, link: Link, name: str, own: Callable[[], int]) -> None:
        self._redis, self._link, self._name, self._own = redis, link, name, own
        self._script = Script.load("fleet")
        self._counted, self._beaten = 0, False

    def count(self) -> int:
        """Return how many workers share every limit."""
        return max(1, self._own(), self._counted)

    async def beat(self) -> bool:
        """Be heard of. Return whether Redis had forgotten this worker, and so all the rest. Never raises for Redis."""
        if not self._link.usable():
            return False
        known = await self._say("stay")
        lost = self._beaten and known is False
        self._beaten = self._beaten or known is not None
        return lost

    async def leave(self) -> None:
        """Be counted no more."""
        if self._link.usable():
            await self._say("leave")

    async def _say(self, what: str) -> bool | None:
        """Return whether Redis knew of this worker, None where it gave no usable answer."""
        try:
            with self._link.call():
                reply = await self._redis.run_script(self._script, [KEY], [self._name, what, int(ALIVE_SECONDS * 1000)])
                self._counted, known = _read(reply)
        except StorageError:
            return None
        return known


def _read(reply: object) -> tuple[int, bool]:
    """Raises StorageError for anything but a count, and whether the worker was known."""
    match reply:
        case [int(count), int(known)] if 0 <= count <= MOST:
            return count, known == 1
        case _:
            raise StorageError("redis script: fleet.lua gave an unexpected reply")
