"""All that a decision may look at beside the findings, and the part of it that the row keeps for `replay`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from detectors.frozen import statically_frozen

# What the row has no column for. The network is personal and can be erased: it stands in `personal`, not here.
_KEPT: Final = ("roles", "language", "cost", "risk", "fallbacks")


@statically_frozen
@dataclass(frozen=True, slots=True)
class Facts:
    """A snapshot. `at` is epoch seconds; `cost` what the tenant has spent today (UTC), in USD, and `risk` the highest
    score of its session, app or tenant, both where the policy asks for them; empty means unknown.

    `language` is guessed (ISO 639-1), and only where the policy asks for it. `roles` are what a token of the tenant's
    own issuer names; an API key has none.
    """

    at: float
    tenant: str = ""
    app: str = ""
    key_id: int | None = None
    dialect: str = ""
    route: str = ""
    model: str = ""
    upstream: str = ""
    streaming: bool = False
    network: str = ""
    roles: tuple[str, ...] = ()
    language: str = ""
    cost: float = 0.0
    risk: float = 0.0
    fallbacks: tuple[str, ...] = ()  # models that may take over from `model`


def kept_facts(facts: Facts) -> dict[str, Any]:
    """Return what of `facts` goes into the row's `facts` column: what is known and has no column of its own."""
    return {name: value for name in _KEPT if (value := getattr(facts, name))}


def recalled_facts(at: float, columns: Mapping[str, Any], kept: Mapping[str, Any], network: str = "") -> Facts:
    """Return the facts of a recorded decision: `columns` of its row, `kept` the content of its `facts` column."""
    named = ("tenant", "app", "dialect", "route", "model", "upstream")
    return Facts(
        at=at,
        key_id=columns.get("key_id"),
        streaming=bool(columns.get("streaming")),
        network=network,
        roles=tuple(kept.get("roles", ())),
        language=str(kept.get("language", "")),
        cost=float(kept.get("cost", 0.0)),
        risk=float(kept.get("risk", 0.0)),
        fallbacks=tuple(kept.get("fallbacks", ())),
        **{name: str(columns.get(name) or "") for name in named},
    )
