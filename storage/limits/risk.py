"""Decayed scores of sessions, apps and tenants: kept in Redis for all workers, here while it is away."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from detectors.errors import StorageError
from storage.limits.link import Link
from storage.redis_client import RedisClient, Script

LARGEST_TABLE: Final = 20_000  # scores that a worker remembers
FRESH_SECONDS: Final = 0.25  # as long what was read is not read again


@dataclass(slots=True)
class _Score:
    """`score` as of `at`; `owed` is what Redis has not been told yet; it is asked again from `fresh_until` on."""

    score: float = 0.0
    at: float = 0.0
    owed: float = 0.0
    fresh_until: float = 0.0

    def now(self, half_life: float, clock: float) -> float:
        return float(self.score * 0.5 ** (max(0.0, clock - self.at) / half_life))


class RiskScores:
    """`tenant_id` and a name (whose score, hashed where that is a person's) make a key. Nothing here ever raises."""

    def __init__(
        self, redis: RedisClient, link: Link, most: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis, self._link, self._most, self._clock = redis, link, most, clock
        self._script = Script.load("risk")
        self._known: OrderedDict[str, _Score] = OrderedDict()

    async def read(self, tenant_id: int, names: Sequence[str], half_life: float) -> tuple[float, ...]:
        """Return the scores now; `half_life` in seconds."""
        return await self._ask(tenant_id, names, half_life, 0.0)

    async def add(self, tenant_id: int, names: Sequence[str], half_life: float, amount: float) -> tuple[float, ...]:
        """Add to scores, none of which grows beyond the highest; return them."""
        return await self._ask(tenant_id, names, half_life, amount)

    async def _ask(self, tenant_id: int, names: Sequence[str], half_life: float, amount: float) -> tuple[float, ...]:
        keys = [f"tenant:{{{tenant_id}}}:risk:{name}" for name in names]
        scores = [self._score(key) for key in keys]
        now = self._clock()
        for score in scores:
            if amount:
                score.score, score.at = min(self._most, score.now(half_life, now) + amount), now
                score.owed = min(self._most, score.owed + amount)
        if self._link.usable() and any(score.owed or now >= score.fresh_until for score in scores):
            await self._exchange(keys, scores, half_life, now)
        return tuple(score.now(half_life, self._clock()) for score in scores)

    async def _exchange(self, keys: list[str], scores: list[_Score], half_life: float, now: float) -> None:
        owed = [score.owed for score in scores]
        for score in scores:
            score.owed = 0.0  # whoever asks meanwhile must not say it, too
        arrived = False
        arguments: list[int | float] = [round(half_life * 1000), self._most, *owed]
        try:
            with self._link.call():
                reply = self._scores_in(await self._redis.run_script(self._script, keys, arguments), len(keys))
                arrived = True
        except StorageError:
            return
        finally:
            if not arrived:
                for score, told in zip(scores, owed, strict=True):
                    score.owed = min(self._most, score.owed + told)
        for score, total in zip(scores, reply, strict=True):
            # Redis may have been flushed: what this worker has seen itself is not forgotten with it.
            score.score, score.at = max(total / 1000, score.now(half_life, now)), now
            score.fresh_until = now + FRESH_SECONDS

    def _scores_in(self, reply: object, count: int) -> list[int]:
        """Raises StorageError for anything but so many scores."""
        scores = [value for value in reply if isinstance(value, int)] if isinstance(reply, list) else []
        if len(scores) != count or not all(0 <= score <= self._most * 1000 for score in scores):
            raise StorageError("redis script: risk.lua gave an unexpected reply")
        return scores

    def _score(self, key: str) -> _Score:
        score = self._known.get(key)
        if score is None:
            score = self._known[key] = _Score()
            if len(self._known) > LARGEST_TABLE:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return score
