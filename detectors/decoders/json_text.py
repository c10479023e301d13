"""JSON inside a string (tool arguments): its leaves as they read once unescaped, and escapes in any other text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import orjson

from detectors.decoding import Aligned, Decoder, Pieces, Run
from detectors.types import Span

_STRING = re.compile(r'"((?:[^"\\]++|\\.)*+)"(\s*+:)?+', re.DOTALL)
_PAIR = r"u([dD][89abAB][0-9A-Fa-f]{2})\\+u([dD][c-fC-F][0-9A-Fa-f]{2})"
_CHARACTER = re.compile(rf"\\{_PAIR}|\\u[0-9A-Fa-f]{{4}}|\\.|.", re.DOTALL)
# However many times it was escaped. Looking behind keeps long rows of backslashes linear.
_ESCAPE = re.compile(rf'(?<!\\)\\++(?:{_PAIR}|u([0-9A-Fa-f]{{4}})|(["/bfnrt]))')
_UNESCAPED = {'"': '"', "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _decode(text: str) -> Iterator[Run]:
    try:
        orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        # Cut off, in a fence or in prose: a model reads it all the same.
        yield Run(Span(0, len(text)), _ESCAPE.sub(_unescape, text), Pieces(partial(_pieces, text)))
        return
    strings = [match for match in _STRING.finditer(text) if match.group(1)]
    # Values first, so that a text split over them is one again.
    for match in sorted(strings, key=lambda match: match.group(2) is not None):
        inside = match.group(1)
        if "\\" in inside:
            yield Run(Span(*match.span(1)), orjson.loads(f'"{inside}"'), Pieces(partial(_characters, inside)))
        else:
            yield Run(Span(*match.span(1)), inside, Aligned())


def _unescape(match: re.Match[str]) -> str:
    high, low, unit, letter = match.groups()
    if letter:
        return _UNESCAPED[letter]
    code = int(unit, 16) if unit else 0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF)
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)


def _pieces(text: str) -> Sequence[Span]:
    """The escapes of a text and the characters between them."""
    pieces, end = [], 0
    for match in _ESCAPE.finditer(text):
        pieces += [Span(i, i + 1) for i in range(end, match.start())]
        pieces.append(Span(*match.span()))
        end = match.end()
    return pieces + [Span(i, i + 1) for i in range(end, len(text))]


def _characters(inside: str) -> Sequence[Span]:
    return [Span(*match.span()) for match in _CHARACTER.finditer(inside)]


DECODER: Final = Decoder("json", r'^\s*[\[{"]|\\(?:["/bfnrt]|u[0-9A-Fa-f]{4})', _decode)
