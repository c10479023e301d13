"""HTML and Markdown read as shown: no tags and comments, no emphasis, no marks in front of lines, no table cells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from detectors.decoding import Decoder, Run, RunOffsets, rewritten, stretches

# Nothing in a tag holds another `<`, so that a row of openings is read once. A quoted `>` does not end one.
_INSIDE = r"""(?:[^<>"']++|"[^"<]*+"|'[^'<]*+'|["'])*+"""
_BLOCK = (
    "address|article|blockquote|br|dd|div|dl|dt|figure|footer|form|h[1-6]|header|hr|li|main|nav|ol|option|p|pre|section"
    "|summary|table|tbody|td|th|thead|title|tr|ul"
)
# Each way to go on begins with a character of its own: Python then skips all others.
_APART = re.compile(
    rf"</?(?i:{_BLOCK})(?![A-Za-z0-9:-]){_INSIDE}>"
    r"|\n[ \t]*(?:(?:>[ \t]?)+|(?:#{1,6}|[*+-]|[0-9]{1,2}[.)])[ \t]+)|\|[ \t]*"
)
# An asterisk between digits multiplies, an underscore within a word is part of it.
_GONE = re.compile(
    rf"<(?i:style)\b{_INSIDE}>\s*(?:<!--)?[^<]*+</(?i:style)>|<!--[^<>]*+>|<!\[CDATA\[|\]\]>|</?[A-Za-z]{_INSIDE}>|<[!?][A-Za-z]{_INSIDE}>"
    r"|\*(?<![0-9*].)\*{0,2}(?![\s*])|\*(?<![\s*].)\*{0,2}(?![0-9*])|~~|`(?<!`.)`*+"
    r"|_(?<!\w.)_{0,2}(?=\w)|_(?<=\w.)_{0,2}(?!\w)"
    r"|!\[(?=[^\[\]]{1,200}\]\()|\[(?=[^\[\]]{1,200}\]\()|\]\([^()\s]{0,500}\)"
)


def _decode(text: str) -> Iterator[Run]:
    for stretch in stretches(text, _APART, _GONE):
        apart = rewritten(text[stretch.start : stretch.end], _APART, " ")
        shown = rewritten(apart.text, _GONE, "")
        yield Run(stretch, shown.text, RunOffsets([shown], apart.within, gap=0))


DECODER: Final = Decoder(
    "markup",
    r"<[/!?]?[A-Za-z][^<>]*>|<!--|[A-Za-z][*`~]{1,3}[A-Za-z]|(?:^|[\s(\"'])[*_`~]{1,3}[A-Za-z]|\]\([^()\s]*\)"
    r"|\n[ \t]*>[ \t]*[A-Za-z]|\n[ \t]*(?:#{1,6}|[*+-]|[0-9]{1,2}[.)])[ \t]+[A-Za-z]+(?: [A-Za-z]+)?[ \t]*\n"
    r"|\|[ \t]*[A-Za-z]+[ \t]*\|[ \t]*[A-Za-z]+[ \t]*\|",
    _decode,
)
