"""Whether Redis may be asked: what all that counts there knows together of one that is away."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from detectors.errors import StorageError
from storage.redis_client import RedisClient

RETRY_SECONDS = 1.0  # how long Redis is left alone after it failed
# By then every worker has noticed that Redis is back, and has told it what it admitted alone.
RECOVERY_SECONDS = 4.0


class Link:
    """Nobody asks a Redis that failed, but one caller of `look`, once a second: no request waits to find out."""

    def __init__(self, redis: RedisClient, clock: Callable[[], float] = time.monotonic) -> None:
        self.down = False
        self._redis, self._clock, self._retry_at, self._looking = redis, clock, 0.0, False
        self._up_again = -math.inf
        self.recoveries = 0  # each may have brought back a server that knows less

    def usable(self) -> bool:
        return not self.down

    def trusted(self) -> bool:
        """Whether what Redis says of others is all there is: not while some may still have to tell it."""
        return not self.down and self._clock() >= self._up_again + RECOVERY_SECONDS

    @contextmanager
    def call(self) -> Iterator[None]:
        """Watch one call: StorageError, which passes through, takes the link down; success brings it up."""
        try:
            yield
            if self.down:
                self.down, self._up_again = False, self._clock()
                self.recoveries += 1
        except StorageError:
            self.down, self._retry_at = True, self._clock() + RETRY_SECONDS
            raise

    async def look(self) -> bool:
        """Return whether Redis answers; where it did not, and it is time, ask it."""
        if self.down and not self._looking and self._clock() >= self._retry_at:
            self._looking = True
            try:
                with suppress(StorageError), self.call():
                    await self._redis.ping()
            finally:
                self._looking = False
        return not self.down
