"""How much of something is allowed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` in any `seconds`."""

    limit: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `usd` in any `seconds`."""

    usd: float
    seconds: int


@dataclass(frozen=True, slots=True)
class PolicyLimits:
    """`text` in characters of one user segment, `body` in bytes after decoding, `concurrent` in exchanges at once."""

    requests: Rate | None
    text: int
    body: int
    tokens: Rate | None = None
    cost: Budget | None = None
    concurrent: int | None = None
