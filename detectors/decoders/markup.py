"""HTML and Markdown read as shown: no tags and comments, no emphasis, no marks in front of lines, no table cells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from detectors.decoders._alternatives import clusters_of, longest_of
from detectors.decoding import Decoder, Rewritten, Run, RunOffsets, around
from detectors.stepwise import LONG, STEP, matches, replaced
from detectors.types import Span

# Nothing in a tag holds another `<`, so that a row of openings is read once. A quoted `>` does not end one.
_INSIDE = r"""(?:[^<>"']++|"[^"<]*+"|'[^'<]*+'|["'])*+"""
_BLOCKS = re.findall(
    "[a-z0-9]+",
    "address article blockquote br dd div dl dt figure footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol option p"
    " pre section summary table tbody td th thead title tr ul",
)
_BLOCK = longest_of(set(_BLOCKS))
# Each way to go on begins with a character of its own: Python then skips all others.
_APART = re.compile(
    rf"</?{_BLOCK}(?![A-Za-z0-9:-]){_INSIDE}>"
    r"|\n[ \t]*(?:(?:>[ \t]?)+|(?:#{1,6}|[*+-]|[0-9]{1,2}[.)])[ \t]+)|\|[ \t]*"
)
# An asterisk between digits multiplies, an underscore within a word is part of it.
_GONE = re.compile(
    rf"<(?i:style)\b{_INSIDE}>\s*(?:<!--)?[^<]*+</(?i:style)>|<!--[^<>]*+>|<!\[CDATA\[|\]\]>|</?[A-Za-z]{_INSIDE}>|<[!?][A-Za-z]{_INSIDE}>"
    r"|\*(?<![0-9*].)\*{0,2}(?![\s*])|\*(?<![\s*].)\*{0,2}(?![0-9*])|~~|`(?<!`.)`*+"
    r"|_(?<!\w.)_{0,2}(?=\w)|_(?<=\w.)_{0,2}(?!\w)"
    r"|!\[(?=[^\[\]]{1,200}\]\()|\[(?=[^\[\]]{1,200}\]\()|\]\([^()\s]{0,500}\)"
)
_OPENING = re.compile("<[^/!]")
_MARKS = clusters_of(rf"{_APART.pattern}|{_GONE.pattern}", r"<\n|*~`_!\[\]")


def _decode(text: str) -> Iterator[Run]:
    for stretch in around(text, _marks(text)):
        apart = _rewritten(text[stretch.start : stretch.end], _APART, " ")
        shown = _rewritten(apart.text, _GONE, "")
        yield Run(stretch, shown.text, RunOffsets([shown], apart.within, gap=0))


def _marks(text: str) -> Iterator[tuple[int, int]]:
    for start, end in _parts(text):
        yield from ((start + mark.start(), start + mark.end()) for mark in matches(_MARKS, text[start:end]))


def _rewritten(text: str, pattern: re.Pattern[str], say: str) -> Run:
    """Do what `rewritten` does in parts: Python looks at 1 MB of tags that are none without a pause."""
    said = "".join([replaced(pattern, say, text[start:end]) for start, end in _parts(text)])
    return Run(Span(0, len(text)), said, Rewritten(text, pattern, say))


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """Cut a long text where a tag opens: no mark reaches over one."""
    start = 0
    while len(text) > LONG and len(text) - start > STEP:
        opening = _OPENING.search(text, start + STEP)
        if opening is None:
            break
        yield start, opening.start()
        start = opening.start()
    yield start, len(text)


DECODER: Final = Decoder(
    "markup",
    r"<[/!?]?[A-Za-z][^<>]*>|<!--|[A-Za-z][*`~]{1,3}[A-Za-z]|(?:^|[\s(\"'])[*_`~]{1,3}[A-Za-z]|\]\([^()\s]*\)"
    r"|\n[ \t]*>[ \t]*[A-Za-z]|\n[ \t]*(?:#{1,6}|[*+-]|[0-9]{1,2}[.)])[ \t]+[A-Za-z]+(?: [A-Za-z]+)?[ \t]*\n"
    r"|\|[ \t]*[A-Za-z]+[ \t]*\|[ \t]*[A-Za-z]+[ \t]*\|",
    _decode,
)
