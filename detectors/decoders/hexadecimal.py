"""Hexadecimal bytes: plain, spaced, with colons, `\\x` or `0x` in front of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from detectors.decoding import Decoder, Run, readable
from detectors.types import Span

_RUN = re.compile(r"(?:(?:\\x|0x)?[0-9A-Fa-f]{2}[ ,:\n-]{0,2}){6,}")
_NOISE = re.compile(r"\\x|0x|[ ,:\n-]")


def _decode(text: str) -> Iterator[Run]:
    for match in _RUN.finditer(text):
        said = readable(bytes.fromhex(_NOISE.sub("", match.group())))
        if said is not None:
            yield Run(Span(*match.span()), said)


DECODER: Final = Decoder("hex", r"(?:(?:\\x|0x)?[0-9A-Fa-f]{2}[ ,:\n-]{0,2}){6}", _decode)
