"""JSON inside a string (tool arguments): its leaves as they read once unescaped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import orjson

from detectors.decoding import Decoder, Run
from detectors.types import Span

_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)


def _decode(text: str) -> Iterator[Run]:
    try:
        orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return
    for match in _STRING.finditer(text):
        inside = match.group(1)
        if inside:
            said = orjson.loads(match.group()) if "\\" in inside else inside
            yield Run(Span(*match.span(1)), said, aligned="\\" not in inside)


# Without an escape the raw text already reads the same, so only escaped documents pay for this.
DECODER: Final = Decoder("json", r'^\s*[\[{"](?s:.*)\\["\\/bfnrtu]', _decode)
