"""JSON inside a string (tool arguments): its leaves, values before keys, as they read once unescaped."""

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


def _decode(text: str) -> Iterator[Run]:
    try:
        orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return  # cut off, in a fence or in prose: its escapes are read there
    strings = [match for match in _STRING.finditer(text) if match.group(1)]
    # Values first, so that a text split over them is one again.
    for match in sorted(strings, key=lambda match: match.group(2) is not None):
        inside = match.group(1)
        if "\\" in inside:
            yield Run(Span(*match.span(1)), orjson.loads(f'"{inside}"'), Pieces(partial(_characters, inside)))
        else:
            yield Run(Span(*match.span(1)), inside, Aligned())


def _characters(inside: str) -> Sequence[tuple[int, int]]:
    return [match.span() for match in _CHARACTER.finditer(inside)]


DECODER: Final = Decoder("json", r'^\s*[\[{"]', _decode, rewrites=True)
