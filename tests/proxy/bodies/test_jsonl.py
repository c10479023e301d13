"""Lines of JSON: documents where they are some, the text itself where they are not, and every digit kept."""

from __future__ import annotations

import pytest

from proxy.bodies.jsonl import line_of, read_documents, read_lines, write_lines


def test_a_line_is_a_document_or_the_text_that_it_is() -> None:
    assert read_lines('{"a": 1}\nplain\r\n\n[2]') == [{"a": 1}, "plain", "", [2]]


@pytest.mark.parametrize("text", ["", "a\r\n\n\rb", '{"a":1}\n', '\n["x\u2028y"]\r\n{"n":4111111111111111.10}'])
def test_what_is_written_as_we_write_it_comes_back_as_it_was(text: str) -> None:
    assert write_lines(read_lines(text)) == text


def test_the_last_of_equal_keys_is_read_and_it_alone_is_written() -> None:
    assert write_lines(read_lines('{"a":1,"a":2}')) == '{"a":2}'


def test_a_line_that_became_shorter_is_filled_up_to_the_size_that_was_announced() -> None:
    lines = read_lines('{"a": "é", "b": 2}\nx')
    assert len(write_lines(lines, padded=True).encode()) == len('{"a": "é", "b": 2}\nx'.encode())
    lines[0]["a"] = "much longer than before"
    assert write_lines(lines, padded=True) == '{"a":"much longer than before","b":2}\nx'


@pytest.mark.parametrize("line", ['{"a":', "{} {}", '"text"', "7", "{'a': 1}", '{"a":NaN}', "[" * 70 + "]" * 70])
def test_what_is_no_document_stays_text(line: str) -> None:
    assert line_of(line) == line


def test_a_mark_in_front_does_not_hide_a_document() -> None:
    assert read_documents('\ufeff{"a":1}\n\n') == [{"a": 1}, "", ""]
    assert read_documents('{"a":1}\nplain') is None
    assert read_documents("plain") is None
