"""A chunk that is known but for its text is read as a parser would read it, or not at all."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.types import Direction
from proxy.bodies.walk import Walk
from proxy.codec import Frame, Piece
from proxy.providers._openai_stream import ChatStream
from proxy.providers._recurring import Recurring

FIRST = '{"id": "1", "choices": [{"index": 0, "delta": {"content": "first words"}, "finish_reason": null}]}'


@pytest.fixture
def recurring() -> Recurring:
    known = Recurring()
    known.learn(FIRST, ChatStream().read("", FIRST))
    return known


@given(st.text() | st.text('\\"u{}[]:,0dé\ud800', max_size=8))
def test_another_text_at_the_same_place_is_the_same_piece(text: str) -> None:
    known = Recurring()
    known.learn(FIRST, ChatStream().read("", FIRST))
    quoted = orjson.dumps(text.encode("utf-8", "replace").decode()).decode()
    piece = known.piece(FIRST.replace('"first words"', quoted))

    assert piece == Piece("0/delta/content", orjson.loads(quoted))


@pytest.mark.parametrize(
    "instead",
    [
        "", "null", "17", '["a"]', '"a" "b"', '"a", "content": "b"', '"a"}, "x": {"y": "b"', '"a', 'a"', '"\n"', "'a'",
        '"\\x"',
    ],
)  # fmt: skip
def test_what_is_not_one_text_there_is_left_to_the_parser(recurring: Recurring, instead: str) -> None:
    assert recurring.piece(FIRST.replace('"first words"', instead)) is None


@pytest.mark.parametrize("data", ["", FIRST[:-1], FIRST.replace("0", "1", 1), FIRST[:40], f" {FIRST}"])
def test_another_event_is_left_to_the_parser(recurring: Recurring, data: str) -> None:
    assert recurring.piece(data) is None


def test_a_text_that_stands_twice_in_its_event_teaches_nothing() -> None:
    known, data = Recurring(), FIRST.replace('"1"', '"first words"')
    known.learn(
        data, Frame({}, (Piece("0/delta/content", "first words"),), Walk(Direction.RESPONSE, frozenset()), bare=True)
    )

    assert known.piece(data) is None


def test_a_stream_reads_the_same_with_and_without() -> None:
    chunks = [FIRST, FIRST.replace("first", "sk-"), FIRST.replace('"index": 0', '"index": 1'), FIRST, "[DONE]"]
    streamed = ChatStream()

    for data in chunks:
        frame, fresh = streamed.read("", data), ChatStream().read("", data)
        assert (frame.pieces, frame.ends, frame.last, frame.bare) == (fresh.pieces, fresh.ends, fresh.last, fresh.bare)
