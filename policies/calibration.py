"""Where to draw a line: the lowest threshold under which recorded traffic shows no more alarms than wanted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Final

from detectors.types import ATTACK, Category, Direction
from policies.recorded import Score
from policies.types import ActionName, Match, Policy, Rule

CONFIDENCE: Final = 0.95
_STEPS: Final = 100  # thresholds are told apart by hundredths
_LOWEST: Final = 30  # the hundredth below which no threshold is advised: weaker signs than that are none
_ALARMS: Final = frozenset({ActionName.BLOCK})


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something happened, with the interval that holds the true rate with 95 % confidence."""

    hits: int
    trials: int

    @property
    def observed(self) -> float:
        return self.hits / self.trials if self.trials else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval (E. B. Wilson, JASA 22 (1927), 209-212); (0, 1) without any trials."""
        if not self.trials:
            return 0.0, 1.0
        z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
        n, p = self.trials, self.observed
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True, slots=True)
class Advice:
    """A rule's threshold as it is and as it should be; None where no threshold keeps to the target."""

    rule: str
    present: float
    present_rate: Rate
    advised: float | None
    advised_rate: Rate


class Calibration:
    """Counts, decision by decision, how sure the surest finding was that each rule with a threshold could match.

    All recorded traffic counts as benign: attacks in it make a threshold higher than it need be, never lower.
    """

    def __init__(self, policy: Policy) -> None:
        self._rules = tuple(rule for rule in policy.rules if _is_adjustable(rule))
        self._surest: Mapping[str, list[int]] = defaultdict(lambda: [0] * (_STEPS + 1))
        self.decisions = 0

    @property
    def rules(self) -> tuple[Rule, ...]:
        return self._rules

    def take(self, scores: Iterable[Score]) -> None:
        """Count one decision."""
        self.decisions += 1
        best: dict[str, float] = {}
        for score in scores:
            for rule in self._rules:
                if _could_match(rule.match, score) and score.confidence > best.get(rule.id, -1.0):
                    best[rule.id] = score.confidence
        for rule_id, confidence in best.items():
            # Down, so that a confidence of 0.799 does not count as reached by 0.80; what is exact stays exact.
            self._surest[rule_id][int(confidence * _STEPS + 1e-9)] += 1

    def advise(self, target: float) -> tuple[Advice, ...]:
        """Return, for each rule, the lowest threshold whose rate is below `target` (0-1) up to its upper bound."""
        return tuple(self._advice(rule, target) for rule in self._rules)

    def _advice(self, rule: Rule, target: float) -> Advice:
        present = rule.match.min_confidence
        counts = self._surest.get(rule.id, [0] * (_STEPS + 1))
        for step in range(_LOWEST, _STEPS + 1):
            rate = self._rate(counts, step)
            if rate.interval[1] <= target:
                return Advice(rule.id, present, self._rate(counts, round(present * _STEPS)), step / _STEPS, rate)
        rate = self._rate(counts, _STEPS)
        return Advice(rule.id, present, self._rate(counts, round(present * _STEPS)), None, rate)

    def _rate(self, counts: Sequence[int], step: int) -> Rate:
        return Rate(sum(counts[step:]), self.decisions)


def fewest_decisions(target: float) -> int:
    """Return how many decisions without any alarm it takes to be sure that the rate is below `target` (0-1)."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    return round(z * z * (1 - target) / target) + 1


def _is_adjustable(rule: Rule) -> bool:
    """A rule that stops attacks from some confidence on; personal data and credentials are what they are."""
    attacks = ATTACK | {Category.HARMFUL_REQUEST}
    about_attacks = bool(rule.match.category) and rule.match.category <= attacks
    return about_attacks and rule.action in _ALARMS and rule.match.min_confidence > 0


def _could_match(match: Match, score: Score) -> bool:
    """Tell whether a finding would match but for its confidence, as far as a row tells."""
    return (
        (not match.category or score.category in match.category)
        and (not match.origin or score.origin in match.origin)
        and (match.direction is None or Direction(score.direction) is match.direction)
        and (not match.rule or score.rule in match.rule)
        and (not match.kind or score.kind in match.kind)
    )
