"""Whose near misses are added up, how fast they are forgotten, and from which score on what follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

MOST: Final = 100.0  # no score is higher, so that every one is forgotten within a few half-lives
Whose: TypeAlias = Literal["session", "app", "tenant"]


@dataclass(frozen=True, slots=True)
class RiskPolicy:
    """Scores by whom (`of`) fall to half within `half_life` seconds. A step without a score is never taken."""

    session: str = "user"
    of: tuple[Whose, ...] = ("session",)
    half_life: float = 1800.0
    strict_at: float | None = None
    strict_level: int = 3
    judge_at: float | None = None
    block_at: float | None = None

    def stricter(self, score: float) -> bool:
        return self.strict_at is not None and score >= self.strict_at

    def judged(self, score: float) -> bool:
        return self.judge_at is not None and score >= self.judge_at

    def blocks(self, score: float) -> bool:
        return self.block_at is not None and score >= self.block_at
