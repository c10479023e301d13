"""Presidio as a further finder of personal data: takes part where its extra is installed (`promptshield[presidio]`)."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from detectors.rules import RuleSet
from detectors.signature_scan import SignatureScan
from detectors.types import Category, Detector, Hit, InspectionContext, Severity, Span, Stage, View

if TYPE_CHECKING:
    from detectors.build import DetectorFactory

try:
    import presidio_analyzer as library
    import spacy
    from presidio_analyzer.nlp_engine import NlpArtifacts, NoOpNlpEngine
except ImportError:  # the extra is not installed: nothing is asked, nothing is missed
    library, NoOpNlpEngine = None, object

RULE: Final = "PS-PRES-001"
_LEAST: Final = 0.4  # what it gives a number by the words around it; less is a number without a name
_PIECE, _OVERLAP = 4000, 200  # characters read in one go, and those that two goes have in common
# Left to our own signatures: an e-mail address has it look up hosts on the network, dates and links are nobody's data.
_LEFT_OUT: Final = ("EmailRecognizer", "UrlRecognizer", "DateRecognizer")


class Words(NoOpNlpEngine):  # type: ignore[misc]  # of a library that may be absent
    """Words without a model, so that a number is told by the words around it: each is its own lemma."""

    def __init__(self) -> None:
        super().__init__([{"lang_code": "en", "model_name": "none"}])
        self._tokenise = spacy.blank("en")

    def process_text(self, text: str, language: str) -> Any:
        tokens = self._tokenise(text)
        lemmas = [token.text.lower() for token in tokens]
        return NlpArtifacts([], tokens, [token.idx for token in tokens], lemmas, self, language)


class PresidioDetector:
    """Reads texts as they are, in a thread. It is no required one: what it finds is beside what signatures find."""

    name = "presidio"
    stage = Stage.MODEL
    required = False
    cacheable = True

    def __init__(self, analyser: Any) -> None:
        self.revision, self._analyser = version("presidio-analyzer"), analyser

    async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
        given_up = threading.Event()
        try:
            return await asyncio.to_thread(lambda: [self._hits(views[0].text, given_up) for views in batch])
        finally:
            given_up.set()  # a thread cannot be stopped: it looks before each piece

    def _hits(self, text: str, given_up: threading.Event) -> tuple[Hit, ...]:
        found: dict[tuple[str, Span], Hit] = {}
        for start, piece in _pieces(text):
            if given_up.is_set():
                return ()  # nobody waits for it any more
            for result in self._analyser.analyze(piece, "en", score_threshold=_LEAST):
                span = Span(start + result.start, start + result.end)
                found.setdefault((result.entity_type, span), _hit(result, span))
        return tuple(found.values())


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    for start in range(0, max(1, len(text) - _OVERLAP), _PIECE - _OVERLAP):
        yield start, text[start : start + _PIECE]


def _hit(result: Any, span: Span) -> Hit:
    message = "Presidio found personal data"
    return Hit(RULE, result.entity_type, Category.PII, Severity.MEDIUM, float(result.score), span, (), message)


def _analyser() -> Any:
    """Its pattern recognisers, without what would reach for the network or for a language model."""
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)  # no text of anybody, nor what it did not load
    engine, registry = Words(), library.RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=engine)
    for name in _LEFT_OUT:
        registry.remove_recognizer(name)
    return library.AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])


class PresidioFactory:
    name = "presidio"
    rule_ids = (RULE,)

    def build(self, rules: RuleSet, scan: SignatureScan) -> Detector | None:
        return None if library is None else PresidioDetector(_analyser())


DETECTOR: Final[DetectorFactory] = PresidioFactory()
