"""Frames: what was written comes back the same, and damage costs nothing but itself."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.errors import JournalError
from storage.chains.canonical import FORM, seal
from storage.journal.frames import (
    CLOSED,
    FOREIGN,
    HOLE,
    LONGEST,
    OPENED,
    SEALED,
    Frame,
    closed_record,
    encode_closed,
    encode_opened,
    interrupted_record,
    last_frame,
    legible,
    scan,
    sealed_in,
)
from storage.types import DecisionRecord, Outcome
from storage.uuid7 import time_of
from tests.storage.journals import a_record, as_values, framed, opened_of

TEXT: Final = st.text(st.characters(exclude_categories=["Cs"]))
RECORD: Final = a_record(id="01890a5d-ac96-774b-bcce-b302099a8057")
FRAMES: Final = [encode_closed(replace(RECORD, model="m" * number * 7), number + 1) for number in range(8)]


def read(data: bytes, *, final: bool = False) -> list[Frame]:
    return list(scan(data, final=final))


@given(
    text=TEXT,
    tokens=st.none() | st.integers(-(2**63), 2**63 - 1),
    number=st.floats(allow_nan=False, allow_infinity=False),
    outcome=st.sampled_from(Outcome),
    words=st.lists(TEXT).map(tuple),
)
def test_any_decision_comes_back_the_same(
    text: str, tokens: int | None, number: float, outcome: Outcome, words: tuple[str, ...]
) -> None:
    record = replace(
        RECORD, model=text, prompt_tokens=tokens, total_ms=number, outcome=outcome, degraded=words, subjects=words
    )
    frame = encode_closed(record, 3)
    (found,) = read(frame)
    assert found == (SEALED, bytes.fromhex(RECORD.id.replace("-", "")), 3, 0, len(frame))
    assert sealed_in(frame) == seal(record)
    assert closed_record(frame) == replace(record, canonical=FORM)
    assert closed_record(as_values(record, 3)) == record


def test_of_an_exchange_that_never_closed_the_row_says_so() -> None:
    opened = replace(opened_of(RECORD), degraded=("judge",), subjects=("s",), action="mask", intended_action="block")
    row = interrupted_record(encode_opened(opened, 3))
    assert row is not None
    assert opened_of(row) == opened
    assert (row.outcome, row.status, row.provider_saw_prompt) == (Outcome.INTERRUPTED, 0, True)
    assert (row.request_action, row.response_action, row.total_ms) == ("mask", "", 0.0)
    assert row.closed_at == time_of(row.id)


@pytest.mark.parametrize(
    "fields",
    [{"model": "\ud800"}, {"status": 2**80}, {"facts": "x" * LONGEST}, {"id": "no uuid"}],
    ids=["surrogate", "number", "long", "id"],
)
def test_a_record_that_nobody_could_read_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(JournalError, match="a record"):
        encode_closed(replace(RECORD, **fields), 1)  # type: ignore[arg-type]


def test_a_refusal_does_not_quote_the_record() -> None:
    with pytest.raises(JournalError) as refused:
        encode_closed(replace(RECORD, model="a secret \ud800"), 1)
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


# --- damage -------------------------------------------------------------------------------------------------------


@given(cut=st.integers(0, sum(map(len, FRAMES))))
def test_a_torn_tail_costs_nothing_that_lies_before_it(cut: int) -> None:
    data = b"".join(FRAMES)[:cut]
    whole = [f for f in read(data) if f[0] == SEALED]
    assert len(whole) == sum(end <= cut for end in ends())
    rest = read(data, final=True)[len(whole) :]
    assert [f[0] for f in rest] == ([] if cut in {0, *ends()} else [HOLE])


@given(place=st.integers(0, sum(map(len, FRAMES)) - 1), change=st.integers(1, 255), final=st.booleans())
def test_a_changed_byte_costs_one_record_and_is_noticed(place: int, change: int, final: bool) -> None:
    data = bytearray(b"".join(FRAMES))
    data[place] ^= change
    found = read(bytes(data), final=final)
    hit = sum(end <= place for end in ends())
    assert [f[2] for f in found if f[0] == SEALED] == [n for n in range(1, 9) if n != hit + 1]
    last_is_waited_for = hit == 7 and not final
    assert sum(f[0] in {HOLE, FOREIGN} for f in found) == (0 if last_is_waited_for else 1)


@given(st.lists(st.one_of(st.sampled_from(FRAMES), st.binary(max_size=60)), max_size=12))
def test_reading_leaves_no_gap_whatever_lies_there(parts: list[bytes]) -> None:
    data = b"".join(parts)
    found = read(data, final=True)
    assert [f[3] for f in found] == [0, *(f[4] for f in found)][: len(found)]
    assert (found[-1][4] if found else 0) == len(data)
    assert [data[f[3] : f[4]] for f in found if f[0] == SEALED] == [p for p in parts if p in FRAMES]


def test_a_length_that_was_damaged_hides_nothing() -> None:
    """It may name more than there is: what follows shows that the frame will never become whole."""
    longer = FRAMES[0][:4] + (900_000).to_bytes(4) + FRAMES[0][8:]
    assert [f[0] for f in read(longer + FRAMES[1])] == [HOLE, SEALED]


def test_text_inside_a_damaged_record_cannot_pass_for_a_frame() -> None:
    smuggled = encode_closed(replace(RECORD, model="inside"), 1).decode("latin-1")
    data = bytearray(encode_closed(replace(RECORD, model=smuggled), 1))
    data[5] ^= 1
    assert [f[0] for f in read(bytes(data) + FRAMES[0], final=True)] == [HOLE, SEALED]


@pytest.mark.parametrize("lead", [0, 1, 50])
def test_the_last_frame_is_found_from_anywhere(lead: int) -> None:
    data = b"".join(FRAMES)[lead:]
    for tail in (b"", b"PSJ", b"PSJ2\0\0", FRAMES[0][:-1]):
        found = last_frame(data + tail)
        assert found is not None
        assert found[2] == 8
    assert last_frame(FRAMES[0][lead + 1 :]) is None


def ends() -> list[int]:
    return [sum(map(len, FRAMES[: count + 1])) for count in range(len(FRAMES))]


# --- other versions -----------------------------------------------------------------------------------------------

VALUES: Final = as_values(RECORD, 1)


def reframe(frame: bytes, values: object) -> bytes:
    """The same frame around other values."""
    content = frame[12:37] + (values if isinstance(values, bytes) else orjson.dumps(values))
    return framed(content)


def test_the_fields_of_a_record_never_move() -> None:
    """Frames of an older release have fewer values; each must still mean the same."""
    values = orjson.loads(VALUES[37:])
    older = closed_record(reframe(VALUES, values[: len(FIRST_FIELDS)]))
    assert older is not None
    assert DecisionRecord.__slots__[: len(FIRST_FIELDS)] == FIRST_FIELDS
    assert (older.personal, older.subjects, older.bodies) == ("{}", (), "[]")


FIRST_FIELDS: Final = (
    "id", "tenant_id", "app_id", "key_id", "instance", "worker", "via", "request_id", "route", "dialect", "model",
    "upstream", "streaming", "outcome", "status", "error_code", "error_stage", "mode", "action", "intended_action",
    "request_action", "response_action", "category", "confidence", "scores", "scores_overflow", "facts", "coverage",
    "digests", "degraded", "policy_id", "policy_revision", "ruleset_revision", "provider_saw_prompt", "prompt_tokens",
    "completion_tokens", "overhead_ms", "upstream_ms", "total_ms", "closed_at",
)  # fmt: skip


@pytest.mark.parametrize("values", [[], {}, None, b"{", ["x"] * 60, [1] * 45])
def test_what_is_no_record_of_this_version_is_none_and_stays_legible(values: object) -> None:
    frame = reframe(VALUES, values)
    assert [f[0] for f in read(frame)] == [CLOSED]
    assert closed_record(frame) is None
    assert legible(frame)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\1",
        b"\2" + FRAMES[0][38:],
        FRAMES[0][37:-40],
        FRAMES[0][37:].replace(b"[", b"{"),
        FRAMES[0][37:] + b"x",
        FRAMES[0][37:].replace(b"\n", b" "),
        FRAMES[0][37:].replace(b"flag", b"fl\xff\xff"),
        FRAMES[0][37:].replace(b"]\n[", b'"]\n['),
    ],
    ids=[
        "nothing",
        "no lengths",
        "another form",
        "an end missing",
        "no JSON",
        "more",
        "no lines",
        "no UTF-8",
        "no time",
    ],
)
def test_what_is_sealed_otherwise_is_no_record_of_this_version(content: bytes) -> None:
    frame = reframe(FRAMES[0], content)
    assert [f[0] for f in read(frame)] == [SEALED]
    assert closed_record(frame) is None
    assert legible(frame) == content


@pytest.mark.parametrize(
    "fields",
    [{"facts": "{"}, {"closed_at": float("inf")}, {"tenant_id": "acme"}, {"tenant_id": True}, {"instance": None}],
)
def test_what_cannot_be_sealed_is_written_as_it_is(fields: dict[str, Any]) -> None:
    record = replace(RECORD, **fields)
    frame = encode_closed(record, 1)
    assert [f[0] for f in read(frame)] == [CLOSED]


def test_a_younger_record_is_legible_by_name() -> None:
    values = orjson.loads(VALUES[37:])
    shown = orjson.loads(legible(reframe(VALUES, [*values, "a column of tomorrow"])))
    assert (shown["id"], shown["tenant_id"], shown["more"]) == (RECORD.id, 1, ["a column of tomorrow"])


@pytest.mark.parametrize("values", [[], {}, None, b"{", ["x"] * 60])
def test_an_opened_frame_that_cannot_be_read_is_none(values: object) -> None:
    frame = reframe(encode_opened(opened_of(RECORD), 1), values)
    assert [f[0] for f in read(frame)] == [OPENED]
    assert interrupted_record(frame) is None
    assert legible(frame)


def test_frames_follow_each_other_without_a_gap() -> None:
    assert all(left[4] == right[3] for left, right in pairwise(read(b"".join(FRAMES))))
