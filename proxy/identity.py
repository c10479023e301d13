"""Who sends a request: the key in its headers, looked up once and then known until something changes."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final, Protocol

from detectors.errors import EdgeError, IdentityError, StorageError
from proxy.codec import Headers
from proxy.key_limits import has_expired
from proxy.tenant_tokens import looks_like_token
from storage.revisions import Revisions
from storage.tenants.api_keys import hash_key, well_formed
from storage.types import Identity

OUR_HEADER: Final = "x-promptshield-key"
REMEMBERED: Final = 20_000  # keys; unknown ones are remembered too, so that guessing does not reach the database
UNKNOWN_FOR: Final = 5.0  # seconds


class KeyStore(Protocol):
    async def find(self, hash: bytes) -> Identity | None: ...  # noqa: A002 - the store's own word


class TokenReader(Protocol):
    async def find(self, token: str) -> Identity | None: ...
    def forget(self) -> None: ...


class RevisionReader(Protocol):
    async def __call__(self) -> Revisions: ...


@dataclass(frozen=True, slots=True)
class Presented:
    """The key a request shows. `own_header` tells that the dialect's header is free for the client's credential."""

    key: str
    own_header: bool


@dataclass(slots=True)
class _Known:
    identity: Identity | None
    at: float


class KeyDirectory:
    """Identities by key hash. `check_forever` polls one row each second and forgets everything when it changed."""

    def __init__(
        self,
        store: KeyStore,
        read_revisions: RevisionReader,
        pepper: bytes,
        max_stale: float,
        clock: Callable[[], float] = time.monotonic,
        tokens: TokenReader | None = None,
    ) -> None:
        self._tokens = tokens
        self._store, self._read_revisions, self._pepper = store, read_revisions, pepper
        self._max_stale, self._clock = max_stale, clock
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._own_key = secrets.token_bytes(32)
        self._revisions: Revisions | None = None
        self._confirmed_at = -inf
        self.confirmed = False  # whether the last look at the database succeeded
        self._asking = asyncio.Semaphore(8)

    @property
    def policies(self) -> int | None:
        """The counter of changes to policies, as of the last look at the database; None before the first."""
        return None if self._revisions is None else self._revisions.policies

    @property
    def attacks(self) -> int | None:
        """The counter of changes to known attacks, likewise."""
        return None if self._revisions is None else self._revisions.attacks

    @property
    def fresh(self) -> bool:
        """Tell whether what is known was confirmed within `max_stale`."""
        return self._clock() - self._confirmed_at <= self._max_stale

    async def identify(self, key: str) -> Identity:
        """Return whose key this is. Raises IdentityError; `unavailable` where nobody could be asked."""
        # The store's hash costs more than all else here, so what is known is found by a faster one of our own.
        digest = hashlib.blake2b(key.encode("utf-8", "surrogateescape"), key=self._own_key, digest_size=16).digest()
        known = self._known.get(digest)
        if known is None or (known.identity is None and self._clock() - known.at > UNKNOWN_FOR):
            if not well_formed(key) and (self._tokens is None or not looks_like_token(key)):
                raise IdentityError("malformed key")
            known = await self._ask(key, digest)
        else:
            self._known.move_to_end(digest)  # a flood of guesses pushes out other guesses first
        if known.identity is not None and not known.identity.key_id and has_expired(known.identity):
            known = await self._ask(key, digest)  # a token: the keys of its issuer may have changed since
        if known.identity is None:
            raise IdentityError("unknown key")
        if not self.fresh:
            raise IdentityError("identities could not be confirmed for too long", unavailable=True)
        if has_expired(known.identity):
            raise IdentityError("expired key")
        return known.identity

    async def check_forever(self, interval: float = 1.0) -> None:
        """Keep what is known true. While the database is away, what is known stays, up to `max_stale`."""
        while True:
            await self.check()
            await asyncio.sleep(interval)

    async def check(self) -> None:
        try:
            revisions = await self._read_revisions()
        except StorageError:
            self.confirmed = False
            return
        if revisions != self._revisions:
            self._known.clear()
            if self._tokens is not None:
                self._tokens.forget()
            self._revisions = revisions
        self._confirmed_at, self.confirmed = self._clock(), True

    async def _ask(self, key: str, digest: bytes) -> _Known:
        revisions = self._revisions
        try:
            if self._tokens is not None and not well_formed(key):
                identity = await self._tokens.find(key)
            else:
                async with self._asking:
                    identity = await self._store.find(hash_key(self._pepper, key))
        except StorageError as exc:
            raise IdentityError("the key store cannot be asked", unavailable=True) from exc
        known = _Known(identity, self._clock())
        if self._revisions == revisions:  # else the answer may be older than what made us forget
            self._known[digest] = known
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return known


def presented_key(headers: Headers, theirs: str | None) -> Presented:
    """Take our key from its own header, else from where the dialect puts it. Raises EdgeError 401 if there is none."""
    own = headers.get(OUR_HEADER)
    key = own or theirs
    if not key:
        message = "No API key: send it as 'Authorization: Bearer sk-ps-...' or in the x-promptshield-key header."
        raise EdgeError(401, "missing_api_key", message)
    # A key of ours in the dialect's header is nobody's credential there: it must never reach a provider.
    return Presented(key, bool(own) and not (theirs and well_formed(theirs)))
