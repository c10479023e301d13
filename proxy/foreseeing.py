"""What an answer said, as the next turn will bring it back: read once more as history, so that it is not new then.

An answer that leaves as it came needs none of this: who reads no direction has read it already. What was masked,
restored or streamed in windows has left as a text that nobody has read whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from detectors.types import Origin, Place
from policies.types import Mode
from proxy.bodies.walk import Walk
from proxy.exchange import Exchange
from proxy.limits.estimating import size_of
from proxy.parts import Parts
from proxy.screen import MOST_FORESEEN

_KEPT_TO_ITSELF: Final = ("reason", "think", "thought")  # what models say to themselves hardly ever comes back


class Said:
    """The texts of one stream as they leave, by channel, in bounded memory."""

    def __init__(self) -> None:
        self._parts: dict[str, list[str]] = {}
        self._room = MOST_FORESEEN
        self.size = 0  # bytes of all that left

    def add(self, channel: str, text: str) -> None:
        """Take in what leaves of a channel. Beyond the bound all is forgotten: half a text is another text."""
        self.size += size_of(text)
        if self._room < 0 or not text:
            return
        self._room -= len(text)
        if self._room < 0:
            self._parts.clear()
            return
        parts = self._parts.get(channel)
        if parts is not None:
            parts.append(text)
        elif not any(word in channel for word in _KEPT_TO_ITSELF):
            self._parts[channel] = [text]

    def texts(self) -> list[str]:
        """Return each channel's whole text."""
        return ["".join(parts) for parts in self._parts.values()]


def spoken(walk: Walk) -> list[str]:
    """Return what the model says in an answer."""
    return [s.text for s in walk.segments if s.origin is Origin.ASSISTANT and s.place is Place.VALUE]


async def foresee(parts: Parts, exchange: Exchange, texts: Sequence[str]) -> None:
    """Read what has left as the next turn will bring it back, where this exchange's policy reads anything."""
    identity, policy = exchange.identity, exchange.policy
    if identity is not None and policy is not None and policy.mode is not Mode.OFF:
        await parts.screen.foresee(texts, policy, identity.tenant, identity.tenant_id, exchange.content_key)
