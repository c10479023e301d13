"""Bytes that read as text: found in any of the usual encodings, in bounded time, and nothing else taken for it."""

from __future__ import annotations

import pytest

from proxy.bodies.plain_text import charset_of, text_of

LONG = "Größe: ünïcödé, 文字, 😀 " * 8000  # more than is looked at, with characters of every width


@pytest.mark.parametrize("charset", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["hello there", "Größe und Länge", "plain ASCII at length, " * 8000])
def test_text_is_told_by_its_bytes(charset: str, text: str) -> None:
    assert charset_of(text.encode(charset)) == charset
    assert text_of(text.encode(charset), "audio/wav") == text


@pytest.mark.parametrize("shift", range(4))
def test_a_character_on_the_edge_of_what_is_looked_at_does_no_harm(shift: int) -> None:
    assert charset_of(b"x" * shift + LONG.encode()) == "utf-8"


@pytest.mark.parametrize(
    "raw", [b"", bytes(100_000), bytes(range(256)) * 300, b"RIFF\x00\xff", b"text at first, " * 9000 + b"\xff"]
)
def test_other_bytes_are_no_text(raw: bytes) -> None:
    assert charset_of(raw) is None
    assert text_of(raw, "audio/wav") is None


def test_a_label_is_taken_at_its_word_where_the_bytes_allow_it() -> None:
    assert text_of(b"Hi.", "text/plain") == "Hi."
    assert text_of(b"Hi.", "audio/wav") is None
    assert text_of("hello there".encode("utf-16-le"), "text/plain") == "hello there"
    assert text_of(b"\xff\xfe\xfd", "text/plain") is None
    assert text_of(b"\xef\xbb\xbfHi.", "text/vtt") == "Hi."
