"""Texts that read like an attack, and where a policy asks for it like a request for harm: the linear models' look."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from detectors.models.classifier_model import KINDS, READ_AS, ClassifierModel, Scale, best, load_classifier
from detectors.models.features import Grams, grams
from detectors.models.harm_model import HARM, HarmModel, load_harm
from detectors.models.harm_model import KIND as HARM_KIND
from detectors.models.harm_model import SEVERITY as HARM_SEVERITY
from detectors.models.linear import LinearModel, Window
from detectors.models.tenant_head import with_head
from detectors.rules import RuleSet
from detectors.selective import LEANING
from detectors.signature_scan import SignatureScan
from detectors.types import (
    Category,
    Detector,
    Hit,
    InspectionContext,
    Kind,
    Origin,
    Segment,
    Severity,
    Span,
    Stage,
    View,
)

# Under this key of `shared`, whoever wants to know the chances below all thresholds leaves a dict for them.
SCORES: Final = "classifier scores"
_LITTLE, _NEARLY_ALL = 0.55, 0.9
_HIDDEN: Final = re.compile(r"""(?:<!--|=\s?["'])[^"'<>]{0,200}?\w\s\w{2,40}\s\w""")
_RUN: Final = re.compile(r"[a-z0-9+/=_-]{40,}")
# The same question of a whole text, in one go and with no way back: a search begins anew behind each letter.
_RUNLESS: Final = re.compile(r"(?:[a-z0-9+/=_-]{0,39}+[^a-z0-9+/=_-]++)*+[a-z0-9+/=_-]{0,39}+")
_DRONE: Final = re.compile(r"([!-~]{1,3}?)\1{9,}")  # a letter, a dash, "ha", over and over
_DIGITS: Final = 16  # base64 has a digit among six characters, hexadecimal more
RULES: Final = {category: f"PS-CLS-{number:03}" for number, category in enumerate(KINDS, start=1)}
TAGS: Final = {
    Category.PROMPT_INJECTION: ("owasp.llm01", "mitre.atlas.aml.t0051"),
    Category.JAILBREAK: ("owasp.llm01", "mitre.atlas.aml.t0054"),
    Category.SYSTEM_PROMPT_LEAK: ("owasp.llm07", "mitre.atlas.aml.t0056"),
    Category.DATA_EXTRACTION: ("owasp.llm02", "mitre.atlas.aml.t0057"),
}


class Classifier:
    """Reads the folded readings of what users and tools wrote. What the model wrote is no attack (decision 0001), and
    what a seam joins may be of several origins, which the weights must know.
    """

    name = "classifier"
    stage = Stage.MODEL
    required = True
    cacheable = True
    either_way: Literal[True] = True  # who wrote a text decides, not which way it goes

    def __init__(self, model: ClassifierModel, harm: HarmModel) -> None:
        self._model, self._harm = model, harm
        self.revision = f"{model.revision}+{harm.revision}"

    def reads(self, segment: Segment, context: InspectionContext) -> bool:
        """Tell whether anything may be found there, so that streamed answers need not wait for this detector."""
        del context
        return _read_as(segment) is not None

    async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
        known: dict[Category, float] | None = context.shared.get(SCORES)
        model = read_by(self._model, context)
        hits: list[tuple[Hit, ...]] = [()] * len(batch)
        for origin in (Origin.USER, Origin.TOOL):
            read = [(number, view) for number, views in enumerate(batch) for view in readable(views, origin)]
            if not read:
                continue
            found = grams([without_blobs(view.text) for _, view in read])
            scored = model.models[origin].windows_in(found)
            for (number, view), windows in zip(read, scored, strict=True):
                window = best(windows)
                if window.score >= model.scales[origin].doubt:
                    window = _without_drone(model.models[origin], view, window)
                hit = _claim(model, view, window, origin)
                if known is not None:
                    _tell(known, model, view, window, origin)
                if hit is not None and not (hits[number] and hits[number][0].confidence >= hit.confidence):
                    hits[number] = (hit,)  # the reading that shows it best
            if origin is Origin.USER and context.lexicon is not None and context.lexicon.harm:
                self._add_harm(read, found, hits)
        return hits

    def _add_harm(self, read: Sequence[tuple[int, View]], found: Grams, hits: list[tuple[Hit, ...]]) -> None:
        """Add what users ask for that harms, by the reading that shows it best."""
        worst: dict[int, Hit] = {}
        for (number, view), windows in zip(read, self._harm.model.windows_in(found), strict=True):
            hit = _harm(self._harm.scale, view, best(windows))
            if hit is not None and not (number in worst and worst[number].confidence >= hit.confidence):
                worst[number] = hit
        for number, hit in worst.items():
            hits[number] = (*hits[number], hit)


def _without_drone(model: LinearModel, view: View, window: Window) -> Window:
    """Return the window with the score that its text has where nothing is repeated over and over: a row of one letter
    says nothing, and would weigh as much as its length.
    """
    place = in_characters(view.text, window.start, window.end)
    if _DRONE.search(view.text, place.start, place.end) is None:
        return window
    short = best(model.windows([_DRONE.sub(r"\1\1\1", without_blobs(view.text))])[0])
    return Window(window.start, window.end, min(window.score, short.score))


def _claim(model: ClassifierModel, view: View, window: Window, origin: Origin) -> Hit | None:
    scale = model.scales[origin]
    if window.score < scale.doubt:
        return None
    confidence = scale.confidence(window.score)
    certain = window.score >= scale.certain
    place = in_characters(view.text, window.start, window.end)
    text = view.text[place.start : place.end]
    category = model.kind(text, origin)
    return Hit(
        rule_id=RULES[category],
        kind="ATTACK_LIKE",
        category=category,
        severity=Severity.HIGH if certain else Severity.LOW,
        confidence=round(confidence if certain else confidence * LEANING, 4),
        span=view.to_source(place) if text else None,
        transforms=view.transforms,
        message=_account(model, view, text, place.start, origin) if certain else "Not sure enough to say",
        tags=TAGS[category],
    )


def _tell(known: dict[Category, float], model: ClassifierModel, view: View, window: Window, origin: Origin) -> None:
    place = in_characters(view.text, window.start, window.end)
    category = model.kind(view.text[place.start : place.end], origin)
    chance = model.scales[origin].confidence(window.score)
    known[category] = max(known.get(category, 0.0), chance)


def _account(model: ClassifierModel, view: View, text: str, start: int, origin: Origin) -> str:
    """Say where the strongest words are, by their places in the original, never by their text."""
    spans = [in_characters(text, *place).shift(start) for place in model.strongest(text, origin)]
    places = [view.to_source(span) for span in spans]
    return "Reads like an attack" + "".join(
        f"{', strongest at' if number == 0 else ' and'} {place.start}-{place.end}"
        for number, place in enumerate(places)
    )


def _harm(scale: Scale, view: View, window: Window) -> Hit | None:
    if window.score < scale.doubt:
        return None
    place = in_characters(view.text, window.start, window.end)
    return Hit(
        rule_id=HARM,
        kind=HARM_KIND,
        category=Category.HARMFUL_REQUEST,
        severity=HARM_SEVERITY,
        confidence=round(scale.confidence(window.score), 4),
        span=view.to_source(place) if place.start < place.end else None,
        transforms=view.transforms,
        message="Asks for help with harm",
    )


def read_by(shipped: ClassifierModel, context: InspectionContext) -> ClassifierModel:
    """Return the model that reads for this context: with its tenant's head on, if it has one for these weights."""
    head = None if context.lexicon is None else context.lexicon.head
    return shipped if head is None or head.made_for != shipped.revision else with_head(shipped, head)


def readable(views: Sequence[View], origin: Origin) -> Iterator[View]:
    """Yield the folded readings of a segment, if it is read as that origin's."""
    if _read_as(views[0].segment) is not origin:
        return
    # What a table reads as cell by cell says nothing that it does not say as it stands.
    folded = [view for view in views if view.transforms[-1:] == ("folded",) and "columns" not in view.transforms]
    for view in folded:
        if len(view.transforms) > 1 or not any(_says_all(other, view) for other in folded):
            yield view


def _says_all(reading: View, raw: View) -> bool:
    """Tell whether a decoded reading has all that a text says, of which most is how it is encoded or marked up: that
    reads like nothing a person writes, whatever it says. Sentences in comments and attributes are in no such reading.
    """
    if len(reading.transforms) != 2 or len(reading.text) > _LITTLE * len(raw.text):
        return False
    whole = reading.to_source(Span(0, len(reading.text)))
    covered = whole.end - whole.start >= _NEARLY_ALL * len(raw.segment.text)
    return covered and (reading.transforms[0] != "markup" or _HIDDEN.search(raw.text) is None)


def without_blobs(text: str) -> str:
    """Return a text with spaces for what is encoded in it, so that all else keeps its place: nobody reads hexadecimal
    or base64 for what it says, and what it hides has a reading of its own.
    """
    return text if _RUNLESS.fullmatch(text) else _RUN.sub(_blank, text)


def _blank(run: re.Match[str]) -> str:
    found = run.group()
    digits = sum(map(found.count, "0123456789"))
    return " " * len(found) if digits * _DIGITS > len(found) else found  # words joined by dashes have hardly any


def _read_as(segment: Segment) -> Origin | None:
    return READ_AS.get(segment.origin) if segment.kind is Kind.TEXT else None


def in_characters(text: str, start: int, end: int) -> Span:
    """Return the characters of a text that have the bytes from `start` to `end` of its UTF-8."""
    if text.isascii():
        return Span(start, end)
    raw = text.encode("utf-8", "replace")
    first = len(raw[:start].decode("utf-8", "ignore"))
    return Span(first, min(first + len(raw[start:end].decode("utf-8", "ignore")), len(text)))


@dataclass(frozen=True, slots=True)
class ClassifierFactory:
    """Loads the shipped weights: once, before any fork, so that all workers share them."""

    name: str = "classifier"
    rule_ids: tuple[str, ...] = (*RULES.values(), HARM)

    def build(self, rules: RuleSet, scan: SignatureScan) -> Detector:
        del rules, scan
        return Classifier(load_classifier(), load_harm())


DETECTOR: Final = ClassifierFactory()
