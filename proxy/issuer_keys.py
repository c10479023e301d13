"""The public keys of tenants' issuers: fetched from where their table says, kept for a while, never fetched often."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from math import inf
from typing import Any, Final

import orjson

from detectors.errors import UnavailableError
from proxy.tenant_tokens import unverifiable
from storage.egress import Destination, Egress
from storage.tenants.issuers import Issuer

JsonObject = dict[str, Any]
Network = IPv4Network | IPv6Network
KEPT: Final = 600.0  # seconds
AGAIN: Final = 30.0  # until they are asked again, for a key that is unknown or after a failure
LAST: Final = 3600.0  # that keys stay good while they cannot be fetched
_MOST: Final = 128 << 10  # bytes
_TIMEOUT: Final = 5.0


@dataclass(slots=True)
class _Kept:
    keys: Sequence[JsonObject] = ()
    fetched_at: float = -inf
    asked_at: float = -inf


class IssuerKeys:
    """`allowed` networks may be private; `clock` is monotonic, in seconds."""

    def __init__(self, allowed: Sequence[Network], clock: Callable[[], float]) -> None:
        self._allowed, self._clock = tuple(allowed), clock
        self._kept: defaultdict[str, _Kept] = defaultdict(_Kept)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def key(self, issuer: Issuer, kid: str | None) -> JsonObject | None:
        """Return a key (JWK), None for one that the issuer does not show. Raises IdentityError, `unavailable`."""
        if issuer.jwks_url is None:
            return _find(issuer.jwks["keys"] if issuer.jwks else (), kid)
        kept, lock = self._kept[issuer.jwks_url], self._locks[issuer.jwks_url]
        # Who asks while keys are fetched waits for the first ones; later he goes by those that are known.
        if self._is_due(kept, kid) or (kept.fetched_at == -inf and lock.locked()):
            async with lock:
                if self._is_due(kept, kid):
                    await self._fetch(issuer.jwks_url, kept)
        if self._clock() - kept.fetched_at > LAST:
            raise unverifiable(issuer)
        return _find(kept.keys, kid)

    def _is_due(self, kept: _Kept, kid: str | None) -> bool:
        now = self._clock()
        wanted = now - kept.fetched_at > KEPT or _find(kept.keys, kid) is None
        return wanted and now - kept.asked_at > AGAIN

    async def _fetch(self, url: str, kept: _Kept) -> None:
        """Keep what is there; what cannot be read leaves what is kept."""
        kept.asked_at = self._clock()
        egress = Egress(Destination(url, self._allowed, timeout=_TIMEOUT), 1)
        try:
            answer = await egress.get({"Accept": "application/json"}, _MOST)
        except UnavailableError:
            return
        finally:
            await egress.close()
        if answer.status != 200 or not answer.complete:
            return
        try:
            document = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            return
        keys = document.get("keys") if isinstance(document, dict) else None
        if isinstance(keys, list):
            kept.keys, kept.fetched_at = [key for key in keys if isinstance(key, dict)], self._clock()


def _find(keys: Sequence[JsonObject], kid: str | None) -> JsonObject | None:
    signing = [key for key in keys if key.get("use", "sig") == "sig"]
    if kid is None:
        return signing[0] if len(signing) == 1 else None
    return next((key for key in signing if key.get("kid") == kid), None)
