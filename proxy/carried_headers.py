"""What a request's headers carry to the provider: read like its body, and left out where something is found."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from detectors.types import Direction, Kind, Origin, Place, Segment
from proxy.bodies.walk import Walk
from proxy.codec import Codec
from proxy.exchange import Exchange, digest
from proxy.screen import Screen, WhenJudged

# Everything else a client sends in headers stays here: keys, cookies, forwarding traces, switches of other gateways.
_CARRIED: Final = ("openai-beta", "http-referer", "x-title", "user-agent")
_ACCOUNT: Final = ("openai-organization", "openai-project")  # whose credential it is says which
_ONCE: Final = "idempotency-key"
# Ids as they are generated, in which nobody writes anything: UUIDs, 128 bits in hexadecimal, ULIDs.
_GENERATED: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|[0-7][0-9A-HJKMNP-TV-Z]{25}")
_SECONDS: Final = 60.0  # for which a value need not be read again: policies and signatures change
_REMEMBERED: Final = 4096

_PLAIN: Final = re.compile(r"\d{4}-\d\d-\d\d|[a-z]{1,12}=v\d{1,3}")  # versions, as dialects require them
_Key = tuple[int, str, str, object, str]


class CarriedHeaders:
    """Remembers what was found in values: an app sends the same few with every request."""

    def __init__(self) -> None:
        self._clean: OrderedDict[_Key, tuple[bool, float]] = OrderedDict()

    async def of(
        self, screen: Screen, exchange: Exchange, codec: Codec, headers: Mapping[str, str], *, account: bool
    ) -> dict[str, str]:
        """Return what goes upstream beside what we say ourselves; `account`: with a credential of the client's own.

        Another tenant's answer could come back for its idempotency key where all share one account: each has its own.
        """
        names = (*_CARRIED, *_ACCOUNT) if account else _CARRIED
        named = {name: headers[name] for name in names if name in headers} | codec.forwarded(headers)
        carried = {name: value for name, value in named.items() if await self._is_clean(screen, exchange, value)}
        name = exchange.request_id  # the client's own, by which it may ask the provider; else ours
        clean = _GENERATED.fullmatch(name) is not None or await self._is_clean(screen, exchange, name)
        carried["x-request-id"] = name if clean else exchange.id
        if _ONCE in headers:
            carried[_ONCE] = digest(exchange.content_key, headers[_ONCE].encode("utf-8", "surrogateescape"))
        return carried

    async def _is_clean(self, screen: Screen, exchange: Exchange, value: str) -> bool:
        policy, identity = exchange.policy, exchange.identity
        if policy is None or identity is None or not value:
            return False
        if _PLAIN.fullmatch(value):
            return True
        facts = exchange.facts()
        whose = (facts.app, facts.key_id, facts.roles, facts.model)  # by which rules may tell
        key, now = (identity.tenant_id, policy.id, policy.revision, whose, value), time.monotonic()
        known = self._clean.get(key)
        if known is None or now >= known[1]:
            walk = Walk(Direction.REQUEST, frozenset())
            walk.segments.append(Segment(walk.direction, Origin.METADATA, Kind.TEXT, Place.VALUE, "/headers", value))
            found = await screen.judge(
                walk, policy, facts, identity.tenant_id, exchange.content_key, judges=WhenJudged.NEVER
            )
            effect = found.verdict.effect
            known = (not (effect.stop or effect.edits), now + _SECONDS)
            if found.verdict.degraded:  # another time it may be read
                return known[0]
            self._clean[key] = known
            while len(self._clean) > _REMEMBERED:
                self._clean.popitem(last=False)
        return known[0]
