"""The one door to Redis or Valkey: it alone imports redis, bounds every call in time and translates its errors."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Self

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisGone
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from detectors.errors import StorageError

CALL_TIMEOUT = 0.1  # seconds
SWEEP_TIMEOUT = 60.0  # for a look through all keys
_RUN_ID: Final = re.compile(rb"^run_id:([0-9a-f]+)", re.MULTILINE)
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

    def __init__(self, redis: Redis | RedisCluster, timeout: float) -> None:
        self._redis, self._timeout = redis, timeout

    @classmethod
    def connect(cls, url: str, timeout: float = CALL_TIMEOUT) -> Self:
        """Prepare a client for `redis://`, `rediss://` or `unix://`, or for a cluster, of which `redis+cluster://` or
        `rediss+cluster://` names one node, without touching the network.

        `timeout` (seconds) is the deadline of one whole call: waiting for a free connection,
        connecting, authenticating, asking. Raises StorageError for a URL that cannot be read.
        """
        scheme, cluster, rest = url.partition("+cluster://")
        if cluster:
            return cls(_cluster(f"{scheme}://{rest}"), timeout)
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
                redis_connect_func=_SameServer().greet,
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
            if isinstance(self._redis, Redis):
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

    async def claim_many(self, keys: Sequence[str], seconds: float) -> Sequence[bool]:
        """Take each key that nobody has, for so many seconds; return which ones are the caller's now."""
        async with self._bounded("claim"):
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.set(key, b"1", nx=True, px=max(1, int(seconds * 1000)))  # type: ignore[unused-awaitable]  # queued
            taken: list[object] = await pipeline.execute()
        return [reply is True for reply in taken]

    async def take_value(self, key: str) -> bytes | None:
        """Return the value of a key and delete it, at once; None where there is none."""
        async with self._bounded("getdel"):
            value: object = await self._redis.getdel(key)
        return value if isinstance(value, bytes) else None

    async def add_many(self, amounts: Mapping[str, int], seconds: int) -> Sequence[int]:
        """Add to counters, which are kept for so many seconds from now; return what each has come to, in order."""
        async with self._bounded("incrby"):
            pipeline = self._redis.pipeline(transaction=False)
            for key, amount in amounts.items():
                pipeline.incrby(key, amount)  # type: ignore[unused-awaitable]  # queued, not sent
                pipeline.expire(key, seconds)  # type: ignore[unused-awaitable]  # queued, not sent
            replies: list[object] = await pipeline.execute()
        sums = [reply for reply in replies[::2] if isinstance(reply, int) and not isinstance(reply, bool)]
        if len(sums) != len(amounts):
            raise StorageError("redis incrby: an answer of another shape")
        return sums

    async def drop_many(self, keys: Sequence[str]) -> None:
        async with self._bounded("del"):
            await self._redis.delete(*keys)

    async def drop_prefix(self, prefix: str) -> int:
        """Forget every key that begins so; return how many. `prefix` holds no sign that a pattern gives a meaning.

        All of the server's keys are looked through, so this may take a minute.
        """
        async with self._bounded("scan", SWEEP_TIMEOUT):
            found = [key async for key in self._redis.scan_iter(match=f"{prefix}*", count=500)]
            for start in range(0, len(found), 500):
                await self._redis.delete(*found[start : start + 500])
        return len(found)

    async def hash_values(self, key: str, most: int) -> Mapping[bytes, bytes]:
        """Return a hash, of which at most so many fields are looked at; empty where there is none."""
        async with self._bounded("hash"):
            found: object = await self._redis.hgetall(key)
        if not isinstance(found, dict) or len(found) > 2 * most:
            return {}
        return {field: value for field, value in found.items() if isinstance(field, bytes) and isinstance(value, bytes)}

    async def hash_add(self, key: str, values: Mapping[str, bytes], most: int, seconds: int) -> None:
        """Add fields to a hash of at most so many, and keep it for so many seconds from now."""
        async with self._bounded("hash"):
            if await self._redis.hlen(key) + len(values) <= most:
                pipeline = self._redis.pipeline(transaction=False)
                fields = [part for pair in values.items() for part in pair]
                pipeline.hset(key, items=fields)  # type: ignore[unused-awaitable]  # queued, not sent
                pipeline.expire(key, seconds)  # type: ignore[unused-awaitable]  # queued, not sent
                await pipeline.execute()

    @asynccontextmanager
    async def _bounded(self, call: str, longest: float = 0.0) -> AsyncIterator[None]:
        """Hold one call to its deadline and turn what goes wrong into StorageError."""
        seconds = longest or self._timeout
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as exc:
            raise StorageError(f"redis {call}: no answer in {seconds * 1000:.0f} ms") from exc
        except (RedisError, OSError) as exc:
            raise StorageError(f"redis {call}: {type(exc).__name__}") from exc


class _SameServer:
    """Notices that behind an address there is another server than before: started again, or failed over to.

    A pool opens a connection anew without a word, and such a server may know less than the one before it: what counts
    has to hear of that, as the failure of one call.
    """

    def __init__(self) -> None:
        self._run: bytes | None = None

    async def greet(self, connection: AbstractConnection) -> None:
        """Log in, and ask who is there. Raises ConnectionError, once, where that is another one."""
        await connection.on_connect()
        await connection.send_command("INFO", "server")
        try:
            about = await connection.read_response()
        except ResponseError:
            return  # not ours to ask, or not known to whoever speaks for it
        found = _RUN_ID.search(about) if isinstance(about, bytes) else None
        before, self._run = self._run, found[1] if found else self._run
        if before not in {None, self._run}:
            raise RedisGone("another server answers")


def _cluster(url: str) -> RedisCluster:
    """Return a client that asks the node that has a key's slot. Raises StorageError for a URL that cannot be read."""
    try:
        return RedisCluster.from_url(url, protocol=2, retry=Retry(NoBackoff(), 0), max_connections=CONNECTIONS)
    except ValueError:
        raise StorageError("REDIS_URL cannot be read: redis+cluster://[user:password@]host:port") from None
