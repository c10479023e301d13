"""Who is called when a policy decides: an address, and which actions it wants to hear of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from policies.matcher import Network

LIMIT: Final = "limit"  # among `on`: that most of a limit is used up


@dataclass(frozen=True, slots=True)
class Webhook:
    """`networks` may be private, because the platform's file says so; all else has to be public, over HTTPS."""

    url: str
    on: frozenset[str]
    networks: tuple[Network, ...] = ()
