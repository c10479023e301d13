"""Which channels of a choice a chunk shows to be over."""

from __future__ import annotations

from detectors.window import LONGEST_WHOLE
from proxy.codec import Piece
from proxy.providers._chat_turns import Turns

FIRST, SECOND = "0/delta/tool_calls/0", "0/delta/tool_calls/1"


def begun(*arguments: str) -> Turns:
    turns = Turns()
    for text in arguments:
        turns.hear(Piece(f"{FIRST}/function/arguments", text, whole=True))
    return turns


def test_reasoning_is_over_where_the_answer_begins_and_that_where_a_call_does() -> None:
    turns = Turns()

    assert list(turns.over(0, [Piece("0/delta/reasoning_content", "a")], ())) == []
    assert list(turns.over(0, [], ())) == []
    assert list(turns.over(1, [Piece("1/delta/content", "a")], ())) == []
    assert list(turns.over(0, [Piece("0/delta/content", "a")], ())) == ["0/delta/reasoning"]
    assert list(turns.over(0, [], [FIRST])) == ["0/delta/content"]


def test_what_goes_on_all_the_same_is_not_over_again() -> None:
    turns, reasoning, content = Turns(), Piece("0/delta/reasoning", "a"), Piece("0/delta/content", "b")
    pieces = [[reasoning], [content], [reasoning], [content], [reasoning], [content]]

    assert [over for piece in pieces for over in turns.over(0, piece, ())] == ["0/delta/reasoning"]
    assert list(turns.over(0, [], [FIRST])) == ["0/delta/content"]


def test_what_begins_behind_what_follows_it_is_held_to_its_end() -> None:
    turns, reasoning, content = Turns(), Piece("0/delta/reasoning", "a"), Piece("0/delta/content", "b")

    assert [over for piece in ([content], [reasoning], [content]) for over in turns.over(0, piece, ())] == []


def test_what_comes_in_one_chunk_goes_on_together() -> None:
    turns, both = Turns(), [Piece("0/delta/reasoning", "a"), Piece("0/delta/content", "b")]

    assert [*turns.over(0, both, ()), *turns.over(0, both, ())] == []
    assert list(turns.over(0, [Piece("0/delta/audio/transcript", "a")], ())) == []


def test_a_call_whose_arguments_are_whole_is_over_where_the_next_begins() -> None:
    turns = begun('{"to": ', '"me"}')

    assert list(turns.over(0, [], [FIRST])) == []
    assert list(turns.over(1, [], ["1/delta/tool_calls/0"])) == []
    assert list(turns.over(0, [], [SECOND])) == [f"{FIRST}/"]
    assert list(turns.over(0, [], [SECOND])) == []


def test_a_call_that_may_still_go_on_is_held_to_the_end() -> None:
    for arguments in ('{"to": ', "4111", '"text"', "", "\ud800"):
        turns = begun(arguments)
        assert list(turns.over(0, [], [SECOND])) == []
        turns.hear(Piece(f"{FIRST}/function/arguments", "{}", whole=True))
        assert list(turns.over(0, [], [SECOND])) == []


def test_what_is_remembered_is_bounded() -> None:
    turns = begun('{"a": "', "b" * LONGEST_WHOLE, '"}')
    assert list(turns.over(0, [], [SECOND])) == []

    for call in range(600):
        turns.hear(Piece(f"0/delta/tool_calls/{call}/function/arguments", "{}", whole=True))
    assert len(list(turns.over(0, [], ["0/delta/tool_calls/900"]))) == 511
