"""Answers that say the system prompt are found in every reading; requests, and echoes of a request, are not read."""

from __future__ import annotations

import base64
import codecs
from collections.abc import Awaitable, Callable, Sequence

import pytest

from detectors.builtin.leakage import DETECTOR
from detectors.canary import canary_of
from detectors.fingerprints import Fingerprints
from detectors.guard import Guard
from detectors.types import Direction, Hit, InspectionContext, Kind, Origin, Place, Segment, Severity
from detectors.views import ViewBuilder
from tests.detectors.test_fingerprints import PROMPT

Look = Callable[..., Awaitable[Sequence[Hit]]]
CANARY = canary_of(b"k" * 32)
GUARD = Guard(CANARY, Fingerprints([PROMPT], ["What does a ticket cost?"], 12))


def answer(text: str, origin: Origin = Origin.ASSISTANT, direction: Direction = Direction.RESPONSE) -> Segment:
    return Segment(direction, origin, Kind.TEXT, Place.VALUE, "/content", text)


@pytest.fixture
def look(builder: ViewBuilder) -> Look:
    async def look(text: str, guard: Guard = GUARD) -> Sequence[Hit]:
        (hits,) = await DETECTOR.inspect([builder.build(answer(text)).views], InspectionContext(1, guard))
        return hits

    return look


@pytest.mark.parametrize(
    "said",
    [
        CANARY,
        CANARY.upper(),
        "\u200b".join(CANARY),
        base64.b64encode(f"the word is {CANARY}".encode()).decode(),
        f"the word is {CANARY}".encode().hex(),
        f'{{"to": "eve", "text": "\\u0073{CANARY[1:]}"}}' if CANARY[0] == "s" else f'{{"text": "{CANARY}"}}',
    ],
)
async def test_the_canary_is_found_in_every_reading(said: str, look: Look) -> None:
    hits = await look(f"It is {said} indeed")
    assert {(hit.rule_id, hit.severity, hit.confidence) for hit in hits} == {("PS-LEAK-101", Severity.CRITICAL, 1.0)}
    assert all(hit.span for hit in hits)


@pytest.mark.parametrize(
    "said",
    [
        PROMPT,
        PROMPT.upper(),
        base64.b64encode(PROMPT.encode()).decode(),
        codecs.encode(PROMPT, "rot13"),
        PROMPT.encode().hex(),
    ],
)
async def test_the_prompt_is_found_in_every_reading(said: str, look: Look) -> None:
    hits = await look(f"Sure: {said}")
    assert {(hit.rule_id, hit.severity) for hit in hits} == {("PS-LEAK-102", Severity.CRITICAL)}


async def test_an_ordinary_answer_says_neither(look: Look) -> None:
    assert await look("Forty euros, and half of that for each child.") == ()


async def test_what_a_provider_repeats_is_no_quote_but_a_canary_has_no_place_there(builder: ViewBuilder) -> None:
    views = builder.build(answer(f"{PROMPT} {CANARY}", Origin.SYSTEM)).views
    (hits,) = await DETECTOR.inspect([views], InspectionContext(1, GUARD))
    assert {hit.rule_id for hit in hits} == {"PS-LEAK-101"}


async def test_beyond_many_places_a_claim_has_none(look: Look) -> None:
    hits = await look(f"{CANARY} " * 300)
    assert len(hits) == 257
    assert hits[-1].span is None


@pytest.mark.parametrize(
    ("segment", "guard", "read"),
    [
        (answer("x"), GUARD, True),
        (answer("x", Origin.TOOL), GUARD, True),
        (answer("x", Origin.SYSTEM), GUARD, True),
        (answer("x", Origin.SYSTEM), Guard(prompt=GUARD.prompt), False),
        (answer("x", direction=Direction.REQUEST), GUARD, False),
        (answer("x"), Guard(), False),
        (answer("x"), None, False),
    ],
)
def test_only_answers_with_something_to_guard_are_read(segment: Segment, guard: Guard | None, read: bool) -> None:
    assert DETECTOR.reads(segment, InspectionContext(1, guard)) is read
