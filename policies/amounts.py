"""How much of something is allowed, and to whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

UNSAID: Final = 1024  # tokens that an answer is taken to have where the request sets no bound


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
class LevelLimits:
    """What a tenant, an app, an API key or a group of models may use; of several amounts of one kind all hold."""

    requests: tuple[Rate, ...] = ()
    tokens: tuple[Rate, ...] = ()
    cost: tuple[Budget, ...] = ()
    concurrent: int | None = None

    @property
    def empty(self) -> bool:
        return not self.requests and not self.tokens and not self.cost and self.concurrent is None


# Patterns with what they allow, the most specific first.
Levels = tuple[tuple[str, LevelLimits], ...]


@dataclass(frozen=True, slots=True)
class PolicyLimits:
    """`text` in characters of one user segment, `body` in bytes after decoding, `concurrent` in exchanges at once.

    Of each element of `apps` and `keys` (the policy's own, the platform's) the first pattern that fits gives an app
    or a key windows of its own; of `models` every pattern that fits counts, all its models together.
    """

    tenant: LevelLimits
    text: int
    body: int
    apps: tuple[Levels, ...] = ()
    keys: tuple[Levels, ...] = ()
    models: tuple[Levels, ...] = ()
    metered: bool = field(init=False, repr=False, compare=False)  # whether anything is counted at all

    def __post_init__(self) -> None:
        counted = bool(self.apps or self.keys or self.models) or not self.tenant.empty
        object.__setattr__(self, "metered", counted)
