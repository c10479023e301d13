"""Anomaly score: weak signs in one text, none of which decides, add up to one finding.

The signs of one kind count once, with the surest of them, since two signatures of a kind mostly read the same words.
Their confidences are joined as independent evidence: 0.45 and 0.6 make 1 - 0.55 * 0.4 = 0.78.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from detectors.frozen import statically_frozen
from detectors.types import ATTACK, Hit, Severity

ANOMALY_RULE: Final = "PS-ANO-001"
WEAK: Final = 0.8  # what is surer decides alone
ENOUGH: Final = 0.5  # a sum below is not worth a word
_SURE: Final = 0.95  # signs never make a proof


@statically_frozen
@dataclass(frozen=True, slots=True)
class Anomaly:
    """What the signs of one text add up to. `parts` are (rule, confidence), surest first."""

    score: float
    parts: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        return f"{' + '.join(f'{rule} {confidence:.2f}' for rule, confidence in self.parts)} = {self.score:.2f}"


def anomaly_of(hits: Iterable[Hit]) -> Anomaly | None:
    """Add up the weak signs of attacks among the hits of one text. None for fewer than two kinds of them, for a sum
    that says nothing, and beside a hit that decides alone.
    """
    surest: dict[str, Hit] = {}
    for hit in hits:
        if hit.category not in ATTACK:
            continue
        if hit.confidence >= WEAK:
            return None
        known = surest.get(hit.kind)
        if known is None or hit.confidence > known.confidence:
            surest[hit.kind] = hit
    if len(surest) < 2:
        return None
    doubt = 1.0
    for hit in surest.values():
        doubt *= 1 - hit.confidence
    score = min(round(1 - doubt, 2), _SURE)
    parts = sorted(((hit.rule_id, hit.confidence) for hit in surest.values()), key=lambda part: (-part[1], part[0]))
    return Anomaly(score, tuple(parts)) if score >= ENOUGH else None


def anomaly_hit(hits: Iterable[Hit]) -> Hit | None:
    """Return what the weak signs of one text make together: a hit of the surest one's category, without a place."""
    known = tuple(hits)
    anomaly = anomaly_of(known)
    if anomaly is None:
        return None
    first = next(hit for hit in known if hit.rule_id == anomaly.parts[0][0])
    severity = Severity.HIGH if anomaly.score >= WEAK else Severity.MEDIUM
    return Hit(
        ANOMALY_RULE, "ANOMALY", first.category, severity, anomaly.score, None, (), f"Weak signs: {anomaly}", first.tags
    )
