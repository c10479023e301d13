"""The one door to Redis or Valkey: it alone imports redis, bounds every call in time and translates its errors."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Self

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.maint_notifications import MaintNotificationsConfig

from detectors.errors import StorageError

CALL_TIMEOUT = 0.1  # seconds
CONNECTIONS = 64  # per worker; one call holds one connection for one round trip


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the SHA-1 under which the server knows it."""

    source: str
    sha: str

    @classmethod
    def load(cls, name: str) -> Self:
        """Read `storage/scripts/<name>.lua`."""
        source = files("storage").joinpath("scripts", f"{name}.lua").read_text(encoding="utf-8")
        return cls(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


class RedisClient:
    """Connections to one server, opened when first needed and again after the server was away.

    Every method raises StorageError, and only that, when the server is gone, slower than the
    timeout, or answers with an error; what a failed call did on the server is then unknown.
    """

    def __init__(self, redis: Redis, timeout: float) -> None:
        self._redis, self._timeout = redis, timeout

    @classmethod
    def connect(cls, url: str, timeout: float = CALL_TIMEOUT) -> Self:
        """Prepare a client for `redis://`, `rediss://` or `unix://` without touching the network.

        `timeout` (seconds) is the deadline of one whole call: waiting for a free connection,
        connecting, authenticating, asking. Raises StorageError for a URL that cannot be read.
        """
        try:
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=CONNECTIONS,
                timeout=None,
                socket_timeout=None,
                socket_connect_timeout=None,
                protocol=2,  # no HELLO: one round trip less, and one reply less to trust
                # A repeated script would take its permits twice: whoever calls decides about a second try.
                retry=Retry(NoBackoff(), 0),
                # These stretch the timeouts while a server moves, and ours must hold.
                maint_notifications_config=MaintNotificationsConfig(enabled=False),
            )
        except ValueError:
            # Its text may quote a piece of the URL, and that piece may be the password.
            raise StorageError("REDIS_URL cannot be read: redis://[user:password@]host:port/db") from None
        return cls(Redis(connection_pool=pool), timeout)

    async def close(self) -> None:
        """Close every connection; the client may not be used afterwards."""
        async with self._bounded("close"):
            await self._redis.aclose()
            await self._redis.connection_pool.disconnect()

    async def ping(self) -> None:
        """Return when the server has answered."""
        async with self._bounded("ping"):
            await self._redis.ping()

    async def run_script(self, script: Script, keys: Sequence[str], args: Sequence[str | int | float]) -> object:
        """Run `script`, sending its source only when the server does not have it yet; return its plain reply."""
        async with self._bounded("script"):
            try:
                return await self._redis.evalsha(script.sha, len(keys), *keys, *args)
            except NoScriptError:
                return await self._redis.eval(script.source, len(keys), *keys, *args)

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        """Return the values of `keys`, in order, by one question; None where there is none."""
        async with self._bounded("mget"):
            reply: object = await self._redis.mget(keys)
        if not isinstance(reply, list) or len(reply) != len(keys):
            raise StorageError("redis mget: an answer of another shape")
        return [value if isinstance(value, bytes) else None for value in reply]

    async def set_many(self, values: Mapping[str, bytes], seconds: int) -> None:
        """Keep values for so many seconds, by one question."""
        async with self._bounded("set"):
            pipeline = self._redis.pipeline(transaction=False)
            for key, value in values.items():
                pipeline.set(key, value, ex=seconds)  # type: ignore[unused-awaitable]  # queued, not sent
            await pipeline.execute()

    @asynccontextmanager
    async def _bounded(self, call: str) -> AsyncIterator[None]:
        """Hold one call to the deadline and turn what goes wrong into StorageError."""
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except TimeoutError as exc:
            raise StorageError(f"redis {call}: no answer in {self._timeout * 1000:.0f} ms") from exc
        except (RedisError, OSError) as exc:
            raise StorageError(f"redis {call}: {type(exc).__name__}") from exc
