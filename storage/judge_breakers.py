"""What all workers know together of judges that fail, in Redis; where that is away, each knows what it saw itself."""

from __future__ import annotations

import time
from collections.abc import Callable

from detectors.errors import StorageError
from storage.redis_client import RedisClient, Script

RETRY_SECONDS = 1.0  # how long Redis is left alone after it failed


class JudgeBreakers:
    """Fills `SharedBreakers` of detectors.judges. What that asks never raises: nothing known means that somebody may
    ask a judge.
    """

    def __init__(self, redis: RedisClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis, self._clock = redis, clock
        self._script = Script.load("judge_breaker")
        self._again_at = 0.0

    async def seconds_open(self, name: str) -> float:
        return await self._run(name, "look") / 1000

    async def may_try(self, name: str, seconds: float) -> bool:
        """Without Redis every worker tries by itself, once."""
        return await self._run(name, "try", round(seconds * 1000), unknown=1) == 1

    async def failed(self, name: str, threshold: int, recovery: float) -> float:
        return await self._run(name, "fail", threshold, round(recovery * 1000)) / 1000

    async def answered(self, name: str) -> None:
        await self._run(name, "ok")

    async def reset(self, name: str) -> None:
        """Forget what is known of a judge. Raises StorageError where Redis is away."""
        await self._redis.drop_many([_key(name)])

    async def _run(self, name: str, *words: str | int, unknown: int = 0) -> int:
        if self._clock() < self._again_at:
            return unknown
        try:
            reply = await self._redis.run_script(self._script, [_key(name)], words)
        except StorageError:
            self._again_at = self._clock() + RETRY_SECONDS
            return unknown
        return reply if isinstance(reply, int) else unknown


def _key(name: str) -> str:
    return f"judge:{{{name}}}"
