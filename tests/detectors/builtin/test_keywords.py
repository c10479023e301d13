"""A policy's words are found in every folded reading, with a place in the text as it was sent."""

from __future__ import annotations

import base64

from detectors.builtin.keywords import DETECTOR
from detectors.lexicon import KeywordList, Lexicon
from detectors.types import Category, Direction, InspectionContext, Kind, Origin, Place, Segment
from detectors.views import ViewBuilder

LEXICON = Lexicon(keywords=(KeywordList("codenames", ("Falcon",)),))


async def test_a_word_is_found_in_clear_and_behind_an_encoding(builder: ViewBuilder) -> None:
    blob = base64.b64encode(b"the falcon is ready for it").decode()
    segment = Segment(Direction.REQUEST, Origin.USER, Kind.TEXT, Place.VALUE, "/0", f"FALCON: {blob}")

    (hits,) = await DETECTOR.inspect([builder.build(segment).views], InspectionContext(lexicon=LEXICON))

    assert {(hit.rule_id, hit.category) for hit in hits} == {("KW-codenames", Category.KEYWORD)}
    assert [segment.text[h.span.start : h.span.end] for h in hits if h.span] == ["FALCON", blob]


async def test_without_words_nothing_is_looked_for(builder: ViewBuilder) -> None:
    assert list(await DETECTOR.inspect([()], InspectionContext())) == [()]
