"""Data keys: one live key for each tenant that has bodies stored, kept wrapped, and known unwrapped for a while."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from detectors.errors import StorageError, UnavailableError
from storage.keys.encryption import KeyRing, KeyRingSource
from storage.postgres import Connection, Database
from storage.types import Role

KNOWN: Final = 1000  # keys in memory
LIFETIME: Final = 300.0  # seconds a key stays known while nobody can say whether it still is one
PATIENCE: Final = 2.0  # seconds that a request may wait for a key
PAUSE: Final = 5.0  # seconds after a failure in which nobody is asked again
_ALL: Final = 0  # no tenant's id
REWRAPPING_LOCK: Final = 0x70735F7772617070  # "ps_wrapp"
_SIZE: Final = 32

_LIVE: Final = "SELECT generation, wrapped, kek FROM private.data_keys WHERE tenant_id = $1 AND retired_at IS NULL"
_ONE: Final = (
    "SELECT generation, wrapped, kek FROM private.data_keys"
    " WHERE tenant_id = $1 AND generation = $2 AND destroyed_at IS NULL"
)
_NEXT: Final = "SELECT coalesce(max(generation), 0) + 1 FROM private.data_keys WHERE tenant_id = $1"
_INSERT: Final = (
    "INSERT INTO private.data_keys (tenant_id, generation, wrapped, kek) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, slots=True, repr=False)
class DataKey:
    """A tenant's key of one generation, unwrapped: 32 bytes."""

    tenant_id: int
    generation: int
    key: bytes

    def of_decision(self, decision_id: str) -> bytes:
        """Return the key (32 bytes) of one decision's bodies: so random nonces never wear a data key out."""
        return hashlib.blake2b(decision_id.encode(), key=self.key, digest_size=32, person=b"promptshield.bod").digest()


class DataKeys:
    """A process's door to data keys. What was asked once costs nothing until it changes or grows too old.

    `check_forever` polls one number each second and forgets everything when any key was retired or destroyed. While
    the database is away, what is known stays known for LIFETIME seconds.
    """

    def __init__(
        self,
        database: Database,
        source: KeyRingSource,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._source, self._clock = database, source, clock
        self._known: OrderedDict[tuple[int, int | None], DataKey] = OrderedDict()
        self._ring: KeyRing | None = None
        self._revision: int | None = None
        self._confirmed_at = clock()
        self._paused: dict[int, float] = {}  # until when nobody is asked for a tenant's keys
        self._asking = asyncio.Lock()

    async def live(self, tenant_id: int) -> DataKey:
        """Return the key that encrypts for a tenant, making it if there is none. Raises StorageError.

        UnavailableError means that the key may be had later.
        """
        return self._recall(tenant_id, None) or await self._ask(tenant_id, None)

    async def find(self, tenant_id: int, generation: int) -> DataKey:
        """Return the key of one generation. Raises StorageError if it was destroyed or never was."""
        return self._recall(tenant_id, generation) or await self._ask(tenant_id, generation)

    async def check_forever(self, interval: float = 1.0) -> None:
        """Keep what is known true."""
        while True:
            await self.check()
            await asyncio.sleep(interval)

    async def check(self) -> None:
        """Forget what is known if any key was retired or destroyed. A process that knows none asks nobody."""
        if not self._known:
            return
        try:
            async with self._database.transaction(Role.APP) as connection:
                self._note(await connection.fetchval("SELECT data_keys FROM private.revisions"))
        except StorageError:
            return  # the lifetime bounds what that may cost

    def _note(self, revision: int) -> None:
        if revision != self._revision:
            self._known.clear()
        self._revision, self._confirmed_at = revision, self._clock()

    def _recall(self, tenant_id: int, generation: int | None) -> DataKey | None:
        if self._clock() - self._confirmed_at > LIFETIME:
            self._known.clear()
        return self._known.get((tenant_id, generation))

    async def _ask(self, tenant_id: int, generation: int | None) -> DataKey:
        # One at a time: a burst of a tenant's first requests asks once.
        async with self._asking:
            known = self._recall(tenant_id, generation)
            if known is not None:
                return known
            if self._clock() < max(self._paused.get(_ALL, 0.0), self._paused.get(tenant_id, 0.0)):
                raise UnavailableError("data keys could not be had a moment ago")
            try:
                async with asyncio.timeout(PATIENCE):
                    return await self._look_up(tenant_id, generation)
            except _KekMissingError:
                if generation is None:  # of this tenant alone: others' keys are wrapped by keys that are here
                    self._pause(tenant_id)
                raise
            except (UnavailableError, TimeoutError) as exc:
                self._pause(_ALL)
                raise UnavailableError(f"data keys cannot be had: {str(exc) or 'too slow'}") from exc
            except StorageError:
                if generation is None:
                    self._pause(tenant_id)
                raise

    def _pause(self, tenant_id: int) -> None:
        if len(self._paused) >= KNOWN:
            self._paused.clear()
        self._paused[tenant_id] = self._clock() + PAUSE

    async def _look_up(self, tenant_id: int, generation: int | None) -> DataKey:
        async with self._database.transaction(Role.APP, tenant_id) as connection:
            # Read first: a key that is destroyed after this is found to be by the next check.
            revision: int = await connection.fetchval("SELECT data_keys FROM private.revisions")
            self._note(revision)
            key = await self._fetch(connection, tenant_id, generation)
        if self._revision == revision:  # else the answer may be older than what made us forget
            self._known[tenant_id, generation] = key
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return key

    async def _fetch(self, connection: Connection, tenant_id: int, generation: int | None) -> DataKey:
        wanted = (_LIVE, tenant_id) if generation is None else (_ONE, tenant_id, generation)
        row = await connection.fetchrow(*wanted)
        if row is None and generation is None:
            self._ring = await make_generation(connection, tenant_id, self._source)
            row = await connection.fetchrow(*wanted)
        if row is None:
            raise StorageError(f"data key {generation or ''} of tenant {tenant_id} is gone: what it locked is lost")
        return await self._unwrap(tenant_id, row["generation"], row["wrapped"], row["kek"])

    async def _unwrap(self, tenant_id: int, generation: int, wrapped: bytes, kek: str) -> DataKey:
        key = (self._ring or await self._load_ring()).find(kek) or (await self._load_ring()).find(kek)
        if key is None:
            raise _KekMissingError(f"the key-encryption key {kek} of data key {generation} of {tenant_id} is not here")
        return DataKey(tenant_id, generation, key.unwrap(wrapped, tenant_id, generation))

    async def _load_ring(self) -> KeyRing:
        self._ring = await self._source.load()
        return self._ring


class _KekMissingError(UnavailableError):
    """The key-encryption key of one data key is not here."""


async def make_generation(connection: Connection, tenant_id: int, source: KeyRingSource) -> KeyRing:
    """Make the tenant's next generation live, unless another process was faster; return the keys of `source`."""
    # They are read under the lock: whoever wraps everything anew waits for us, or we read his new key.
    await connection.execute("SELECT pg_advisory_xact_lock_shared($1)", REWRAPPING_LOCK)
    ring = await source.load()
    generation: int = await connection.fetchval(_NEXT, tenant_id)
    wrapped = ring.current.wrap(secrets.token_bytes(_SIZE), tenant_id, generation)
    await connection.execute(_INSERT, tenant_id, generation, wrapped, ring.current.id)
    return ring
