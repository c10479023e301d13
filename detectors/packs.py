"""Signatures of an operator: a folder of them, held to the same gates as ours before any text is read with them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from detectors.documents import Document, read_document
from detectors.errors import SignatureError
from detectors.lexicon import Lexicon
from detectors.matcher import Matcher
from detectors.normalise import fold
from detectors.pattern import PatternSyntaxError
from detectors.rules import RuleSet, Signature, Status, build_matcher, refuse_bad_pattern
from detectors.signature_scan import SignatureScan
from detectors.types import Direction, InspectionContext, Kind, Origin, Place, Segment
from detectors.views import ViewBuilder

PREFIX: Final = "OP-"  # ids of operators; ours begin with PS-
MOST_SIGNATURES: Final = 500  # of one folder: compiling is done beside the traffic, and still has to end
_EVERY_LEVEL: Final = Lexicon(dict.fromkeys(Origin, 4))
_PROBE, _SECONDS = 100_000, 0.1  # characters of a hostile text, and how long one signature may take over it


def load_pack(folder: Path, views: ViewBuilder, taken: Collection[str] = ()) -> SignatureScan | None:
    """Load every `*.yaml` of one folder; None if there are none. Raises SignatureError, with file and line, for what
    does not load, an id that is `taken`, an example that is not found or a near miss that is, and what takes too long.
    """
    documents: list[tuple[Document, Signature]] = []
    seen = dict.fromkeys(taken, "another pack")
    for file in sorted(folder.glob("*.yaml")):
        document = read_document(file, SignatureError)
        signature = document.validate(Signature)
        if not signature.id.startswith(PREFIX):
            raise document.complain(("id",), f"ids of your own begin with {PREFIX}, as in OP-INJ-001")
        if signature.id in seen:
            raise document.complain(("id",), f"id '{signature.id}' is taken by {seen[signature.id]}")
        refuse_bad_pattern(signature, document)
        seen[signature.id] = file.name
        documents.append((document, signature))
    if not documents:
        return None
    if len(documents) > MOST_SIGNATURES:
        raise SignatureError(folder, None, f"holds more than {MOST_SIGNATURES} signatures")
    rules = RuleSet(tuple(signature for _, signature in documents))
    scan = _compiled(documents, rules)
    for document, signature in documents:
        for loc, problem in failed_examples(signature, scan, views):
            raise document.complain(("examples", *loc), problem, of_key=False)
        _refuse_slow(document, signature)
    return scan


def failed_examples(
    signature: Signature, scan: SignatureScan, views: ViewBuilder
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield (key and number of the example, what is wrong) for examples that say otherwise than the signature does."""
    origin = signature.origins[0] if signature.origins else Origin.USER
    wanted = (("match", signature.examples.match, True), ("no_match", signature.examples.no_match, False))
    for key, texts, expected in wanted:
        for number, text in enumerate(texts):
            segment = Segment(Direction.REQUEST, origin, Kind.TEXT, Place.VALUE, "", text)
            (hits,) = scan.hits([views.build(segment).views], InspectionContext(lexicon=_EVERY_LEVEL))
            if any(hit.rule_id == signature.id for hit in hits) is not expected:
                yield (key, number), "the signature does not find this" if expected else "the signature finds this"


def _compiled(documents: list[tuple[Document, Signature]], rules: RuleSet) -> SignatureScan:
    live = [(document, s) for document, s in documents if s.status is not Status.DEPRECATED]
    try:
        return SignatureScan([signature for _, signature in live], rules.revision)
    except PatternSyntaxError:
        for document, signature in live:  # the engine's own limits: which one is it?
            try:
                build_matcher([signature], keep=False)
            except PatternSyntaxError as exc:
                raise document.complain(("pattern",), f"pattern: {exc}") from exc
        raise


def _refuse_slow(document: Document, signature: Signature) -> None:
    matcher = build_matcher([signature], keep=False)
    example = signature.examples.match[0]
    unit = fold(example) + " " if signature.folded else example
    text = unit * (_PROBE // len(unit) + 1)
    if min(_seconds(matcher, text) for _ in range(3)) > _SECONDS:
        problem = f"pattern: takes more than {_SECONDS} s over {_PROBE // 1000} KB of its own example"
        raise document.complain(("pattern",), problem)


def _seconds(matcher: Matcher, text: str) -> float:
    started = time.thread_time()
    if matcher.matching(text):
        deque(matcher.spans(0, text), maxlen=0)
    return time.thread_time() - started
