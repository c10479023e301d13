"""The stream that is one JSON array: cut into objects wherever the bytes are cut, and written well-formed."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.providers._gemini_array import ArrayParser
from proxy.providers._gemini_wire import ArrayWire
from proxy.streams.sse import LONGEST_EVENT, SseError

OBJECTS = st.lists(
    st.dictionaries(
        st.text(max_size=4),
        st.text('ab"\\{}[],é😀\n', max_size=9) | st.lists(st.integers(0, 9), max_size=2),
        max_size=3,
    ),
    max_size=4,
)


def cut(raw: bytes, *sizes: int) -> list[str]:
    parser, found, at = ArrayParser(), [], 0
    for size in sizes or (len(raw),):
        found += [event.data for event in parser.feed(raw[at : at + size])]
        at += size
    found += [event.data for event in parser.feed(raw[at:])]
    return [*found, *(event.data for event in parser.finish())]


@given(documents=OBJECTS, sizes=st.lists(st.integers(0, 9)))
def test_objects_come_out_as_they_went_in_wherever_the_bytes_are_cut(documents: list[object], sizes: list[int]) -> None:
    raw = b"[" + b" ,\r\n".join(map(orjson.dumps, documents)) + b"\n]\n"

    assert [orjson.loads(data) for data in cut(raw, *sizes)] == documents


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_signs_within_strings_are_no_structure(size: int) -> None:
    raw = orjson.dumps([{"a": 'é"]}\\'}, {'{"': ["[", {"b": "\\\\"}]}])

    assert [orjson.loads(data) for data in cut(raw, *[size] * len(raw))] == orjson.loads(raw)


def test_an_object_is_told_as_soon_as_it_is_whole() -> None:
    parser = ArrayParser()

    assert [event.data for event in parser.feed(b'[{"a": 1}')] == ['{"a": 1}']
    assert [event.data for event in parser.feed(b',\r\n{"b"')] == []
    assert [event.data for event in parser.feed(b": 2}")] == ['{"b": 2}']


@pytest.mark.parametrize(
    "raw",
    [b'{"a": 1}', b"null", b'["a"]', b"[1]", b"[[]]", b'[{"a": 1} {"b": 2}]', b"[,]", b'[{"a": 1},]', b"[]]", b"[]{}",
     b'[{"a": 1}]x', b'[{"a": "\xff"}]', b'[{"a": ', b'[{"a": "x', b'data: {"a": 1}'],
)  # fmt: skip
def test_what_is_no_array_of_objects_is_an_error(raw: bytes) -> None:
    with pytest.raises(SseError):
        cut(raw)


def test_an_object_without_end_is_an_error_before_memory_is_full() -> None:
    parser = ArrayParser()
    endless = [b'[{"a": "', *[b"x" * (1 << 20)] * ((LONGEST_EVENT >> 20) + 1)]
    with pytest.raises(SseError, match="4 MiB"):
        _ = [list(parser.feed(chunk)) for chunk in endless]


def test_white_space_without_end_is_not_kept() -> None:
    parser = ArrayParser()
    for _ in range(8):
        assert list(parser.feed(b" " * (1 << 20))) == []

    assert [event.data for event in parser.feed(b"[{}]")] == ["{}"]


@pytest.mark.parametrize("events", [0, 1, 3])
@pytest.mark.parametrize("last", [0, 1, 2])
def test_what_is_written_is_an_array_however_it_ends(events: int, last: int) -> None:
    wire = ArrayWire()
    sent = b"".join(wire.event({"number": number}) for number in range(events))
    wire.end()  # one that was made and never sent, because something failed in between
    sent += wire.end(*[{"last": True}] * last)

    assert orjson.loads(sent) == [*({"number": number} for number in range(events)), *[{"last": True}] * last]
