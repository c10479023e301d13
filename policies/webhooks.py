"""Who is called when a policy decides: an address, and which actions it wants to hear of."""

from __future__ import annotations

from dataclasses import dataclass

from policies.matcher import Network
from policies.words import ActionName


@dataclass(frozen=True, slots=True)
class Webhook:
    """`networks` may be private, because the platform's file says so; all else has to be public, over HTTPS."""

    url: str
    on: frozenset[ActionName]
    networks: tuple[Network, ...] = ()
