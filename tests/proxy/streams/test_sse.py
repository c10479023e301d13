"""Server-sent events by the WHATWG rules: cut anywhere, ended anyhow, never without bound."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.streams.sse import SseError, SseEvent, SseParser

LINES = [b"data: a", b"data:b", b"data:", b"data", b"event: e", b": c", b"id: 1", "data: é😀".encode()]
PARTS = st.lists(st.sampled_from([*LINES, b"\xef\xbb\xbf", b"\xff", b"\r", b"\n", b"\r\n", b"\n\n", b"\r\r"]))


def read(*chunks: bytes) -> list[SseEvent]:
    parser = SseParser()
    return [event for chunk in chunks for event in parser.feed(chunk)] + list(parser.finish())


def data(*chunks: bytes) -> list[str]:
    return [event.data for event in read(*chunks)]


@given(PARTS, st.data())
def test_where_a_stream_is_cut_changes_nothing(parts: list[bytes], choose: st.DataObject) -> None:
    raw = b"".join(parts)
    cuts = sorted(choose.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    chunks = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]

    def outcome(*chunks: bytes) -> list[SseEvent] | None:
        try:
            return read(*chunks)
        except SseError:
            return None

    assert outcome(raw) == outcome(*chunks) == outcome(*(raw[i : i + 1] for i in range(len(raw))))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_end_in_every_allowed_way(end: bytes) -> None:
    assert data(b"data: a" + end + end + b"data: b" + end + end) == ["a", "b"]


def test_data_over_several_lines_is_joined() -> None:
    assert data(b"data: {\ndata:  1\ndata\ndata:}\n\n") == ["{\n 1\n\n}"]


def test_events_carry_their_name_once() -> None:
    assert read(b"event: ping\ndata: 1\n\ndata: 2\n\n") == [SseEvent("ping", "1"), SseEvent("", "2")]


def test_comments_unknown_fields_and_events_without_data_are_dropped() -> None:
    assert read(b": keep-alive\n\nid: 7\nretry: 5\nfoo\n\nevent: x\n\ndata: a\n\n") == [SseEvent("", "a")]


def test_one_byte_order_mark_at_the_start_is_ignored_and_no_other() -> None:
    assert data(b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n") == ["a"]
    assert data(b"\xef", b"\xbb", b"\xbf", b"data: a\n\n") == ["a"]


def test_a_stream_that_ends_without_its_empty_line_still_gives_its_last_event() -> None:
    assert data(b"data: a\n\ndata: [DONE]") == ["a", "[DONE]"]


def test_an_event_is_given_as_soon_as_it_is_complete() -> None:
    parser = SseParser()

    assert [list(parser.feed(piece)) for piece in (b"data: a\n", b"\n")] == [[], [SseEvent("", "a")]]


@pytest.mark.parametrize("raw", [b"data: \xff\n\n", b"data: \xc3", b"data: \xed\xa0\x80\n\n"])
def test_what_is_not_utf_8_is_an_error(raw: bytes) -> None:
    with pytest.raises(SseError):
        read(raw)


@pytest.mark.parametrize("chunk", [b"x" * 65536, b"data: " + b"x" * 65536 + b"\n", b"data:\n" * 20_000])
def test_an_event_without_end_is_an_error_before_it_fills_the_memory(chunk: bytes) -> None:
    with pytest.raises(SseError, match="4 MiB"):
        read(*[chunk] * 100)


def test_many_small_events_in_one_chunk_are_no_long_event() -> None:
    assert len(data((b"data: " + b"a" * 65536 + b"\n\n") * 100)) == 100


def test_a_long_line_in_small_chunks_takes_linear_time() -> None:
    started = time.thread_time()
    assert len(data(b"data: ", *([b"x" * 1000] * 4000), b"\n\n")[0]) == 4_000_000
    assert time.thread_time() - started < 2
