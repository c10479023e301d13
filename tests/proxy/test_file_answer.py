"""Answers that are files: read as lines, as one text, or as bytes that go out as they came."""

from __future__ import annotations

from detectors.types import Unscanned
from proxy.file_answer import FileAnswer

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\xff"


def test_lines_of_documents_are_read_and_written_as_documents() -> None:
    answer = FileAnswer.of_lines(b'{"a": 1}\n{"b": 2}\n', "application/octet-stream")

    assert answer == {"lines": [{"a": 1}, {"b": 2}, ""]}
    assert answer.written() == (b'{"a":1}\n{"b":2}\n', "application/x-jsonl")


def test_any_other_text_is_one_text() -> None:
    answer = FileAnswer.of_lines(b'{"a": 1}\nand more', "application/octet-stream")

    assert [segment.pointer for segment in answer.walk(frozenset()).segments] == ["/text"]
    assert answer.written() == (b'{"a": 1}\nand more', "text/plain; charset=utf-8")


def test_bytes_are_for_the_policy_to_let_pass() -> None:
    answer = FileAnswer.of_lines(PNG, "image/png")

    assert answer.walk(frozenset()).unscanned == {Unscanned.MEDIA: 1}
    assert answer.written() == (PNG, "image/png")
    assert FileAnswer.of_text(PNG, "text html; <b>").written() == (PNG, "application/octet-stream")
