"""A second look at texts about which the linear model is in doubt: by a small transformer, off the event loop."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from detectors.builtin.classifier import RULES as FIRST_LOOK
from detectors.builtin.classifier import SCORES, TAGS, in_characters, read_by, readable, without_blobs
from detectors.errors import DetectorError
from detectors.models.classifier_model import KINDS, READ_AS, ClassifierModel, best, load_classifier
from detectors.models.known_attacks import NONE_KNOWN, KnownAttacks
from detectors.models.linear import Window
from detectors.models.second_look import Judgement, SecondLook, load_second_look
from detectors.rules import RuleSet
from detectors.selective import LEANING
from detectors.signature_scan import SignatureScan
from detectors.turns import TooManyWaitError, Turns
from detectors.types import Category, Detector, Hit, InspectionContext, Segment, Severity, Stage, View
from detectors.undecided import QUEUE_FULL

_FIRST_LOOK: Final = frozenset(FIRST_LOOK.values())
RULES: Final = {category: f"PS-TRF-{number:03}" for number, category in enumerate(KINDS, start=1)}
SIMILAR: Final = "PS-SIM-001"
_MOST_WAITING: Final = 32  # texts: some 0.7 s, which leaves the deadline of refiners time for one's own
# An address, a name or a number asks for nothing; an attack may be two words long.
_FEWEST_WORDS: Final = 2
_LITTLE: Final = 1024  # characters in all readings
_TOKEN: Final = re.compile(r"\S+")
_AROUND: Final = ".,!?;:\"'()[]*\u2019\u201c\u201d"  # what stands around words
_NO_WORD: Final = frozenset("0123456789./\\@=_<>{}:#$%&+|~^")
_UNSPACED: Final = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")  # scripts without blanks: two make a word


class Transformer:
    """Reads, of each text that the classifier leans to call an attack, the reading that looks most like one."""

    name = "transformer"
    stage = Stage.REFINER
    required = False
    cacheable = True
    either_way: Literal[True] = True
    one_by_one: Literal[True] = True

    def __init__(self, linear: ClassifierModel, second: SecondLook) -> None:
        self._linear, self._second, self._turns = linear, second, Turns(_MOST_WAITING)
        self._known = second.known
        # What the linear model must lean to for both together to be enough, as far as anybody has seen.
        self._least = {
            origin: round(LEANING * linear.scales[origin].confidence(joining.reach), 4)
            for origin, joining in second.joinings.items()
        }

    @property
    def revision(self) -> str:
        return f"{self._linear.revision}+{self._second.revision}+{self._known.revision}"

    @property
    def model(self) -> str:
        """Whose vectors can be compared: those of one model alone."""
        return self._second.encoder.revision

    def know(self, attacks: KnownAttacks = NONE_KNOWN) -> None:
        """From now on look for these attacks, too, beside those that ship: in every text that the classifier leans to
        call an attack, however little.
        """
        self._known = self._second.known + attacks if attacks else self._second.known

    def wants(self, segment: Segment, hits: Sequence[Hit]) -> bool:
        leaning = max((hit.confidence for hit in hits if hit.rule_id in _FIRST_LOOK), default=0.0)
        origin = READ_AS.get(segment.origin)
        least = self._least[origin] if origin is not None and self._known is self._second.known else 0.0
        return least <= leaning < LEANING and leaning > 0

    async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
        try:
            return [
                () if _says_little(views) else await self._turns.take(partial(self._look, views, context))
                for views in batch
            ]
        except TooManyWaitError:
            raise DetectorError(self.name, QUEUE_FULL) from None

    def _look(self, views: Sequence[View], context: InspectionContext) -> tuple[Hit, ...]:
        origin = READ_AS.get(views[0].segment.origin)
        if origin is None:
            return ()
        read = [view for view in readable(views, origin) if is_said(view.text)]
        if not read:
            return ()
        texts = [without_blobs(view.text) for view in read]
        ranked = read_by(self._linear, context).models[origin].windows(texts)
        place = max(range(len(read)), key=lambda number: best(ranked[number]).score)
        judged = self._second.at(texts[place], ranked[place], origin)
        joining = self._second.joinings[origin]
        self._tell(context, judged, joining.scale.confidence(judged.score))
        view, window = read[place], best(ranked[place])
        hits = []
        if judged.score >= joining.scale.certain:
            chance = joining.scale.confidence(judged.score)
            message = "Reads like an attack at a second look"
            hits.append(_hit(RULES[judged.kind], "ATTACK_LIKE", judged.kind, chance, view, window, message))
        cosine, category = self._known.nearest(judged.vectors)
        if category is not None and cosine >= joining.near:
            chance = max(joining.scale.threshold, min(cosine, 1.0))
            message = f"Says much the same as an attack that is known (cosine {cosine:.2f})"
            hits.append(_hit(SIMILAR, "KNOWN_ATTACK", category, chance, view, window, message))
        return tuple(hits)

    def _tell(self, context: InspectionContext, judged: Judgement, chance: float) -> None:
        """Leave the chance for whoever wants to know it, in place of what the linear model thought."""
        known: dict[Category, float] | None = context.shared.get(SCORES)
        if known is not None:
            known.clear()
            known[judged.kind] = chance


def _says_little(views: Sequence[View]) -> bool:
    """Tell a short text without words, of which a body may hold thousands, and which is not worth a turn."""
    return sum([len(view.text) for view in views]) <= _LITTLE and not any(is_said(view.text) for view in views)


def is_said(text: str) -> bool:
    """Tell whether a text has as many words as it takes to ask for something."""
    words = 0
    for token in _TOKEN.finditer(text):
        word = token.group().strip(_AROUND)
        words += _NO_WORD.isdisjoint(word) and any(map(str.isalpha, word))
        if words >= _FEWEST_WORDS:
            return True
    return words + len(_UNSPACED.findall(text)) // 2 >= _FEWEST_WORDS


def _hit(rule_id: str, kind: str, category: Category, chance: float, view: View, window: Window, message: str) -> Hit:
    place = in_characters(view.text, window.start, window.end)
    return Hit(
        rule_id=rule_id,
        kind=kind,
        category=category,
        severity=Severity.HIGH,
        confidence=round(chance, 4),
        span=view.to_source(place) if place.start < place.end else None,
        transforms=view.transforms,
        message=message,
        tags=TAGS[category],
    )


@dataclass(frozen=True, slots=True)
class TransformerFactory:
    """Loads the shipped weights: once, before any fork, so that all workers share them."""

    name: str = "transformer"
    rule_ids: tuple[str, ...] = (*RULES.values(), SIMILAR)

    def build(self, rules: RuleSet, scan: SignatureScan) -> Detector:
        del rules, scan
        return Transformer(load_classifier(), load_second_look())


DETECTOR: Final = TransformerFactory()
