"""JSON lines in and out (jsonlines.org): each line a document of its own, what is none stays the text that it is."""

from __future__ import annotations

import re
from typing import Any, Final

from proxy.bodies.json_document import JsonError, dump, parse

# No string of JSON holds either character bare, so that a cut here never falls into a document.
_END: Final = re.compile(r"(\r\n|\n|\r)")
MOST_LINES: Final = 50_010  # a batch of OpenAI's may have 50,000 requests


class Lines(list[Any]):
    """The lines of a text: a `dict` or `list` where a line is such a document, a `str` where it is anything else.

    `ends` holds what stands behind each line, `sizes` how many bytes each had in UTF-8.
    """

    ends: list[str]
    sizes: list[int]


def read_lines(text: str) -> Lines:
    """Return the lines of `text`. A byte order mark in front of the first goes where that is a document."""
    cut = _END.split(text)
    lines = Lines(line_of(line) for line in cut[::2])
    lines.ends, lines.sizes = [*cut[1::2], ""], [len(line.encode()) for line in cut[::2]]
    return lines


def read_documents(text: str) -> Lines | None:
    """Return the lines of a text in which every line but empty ones is a document; None for any other text."""
    if text.removeprefix("\ufeff").lstrip()[:1] not in {"{", "["}:
        return None
    if not has_few_lines(text):
        return None
    lines = read_lines(text)
    return lines if all(not isinstance(line, str) or not line.strip() for line in lines) else None


def has_few_lines(text: str) -> bool:
    """Tell a text whose lines can be read one by one: so many empty ones would cost a worker seconds."""
    return text.count("\n") + text.count("\r") < MOST_LINES


def write_lines(lines: Lines, *, padded: bool = False) -> str:
    """Return the text. `padded`: spaces make up for what a line was longer before, because its size was announced."""
    written = (_write(line, size if padded else 0) for line, size in zip(lines, lines.sizes, strict=True))
    return "".join(part for pair in zip(written, lines.ends, strict=True) for part in pair)


def line_of(line: str) -> Any:
    """Return the document that a line is, or the line."""
    bare = line.strip("\ufeff \t")
    if bare[:1] + bare[-1:] not in {"{}", "[]"}:  # to find out by parsing takes ten times as long
        return line
    try:
        return parse(bare.encode())
    except (JsonError, UnicodeEncodeError):
        return line


def _write(line: Any, size: int) -> str:
    if isinstance(line, str):
        return line
    raw = dump(line)
    return raw.decode() + " " * (size - len(raw))
