"""Hexadecimal bytes: plain, spaced, with colons, `\\x` or `0x` in front of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from detectors.compressed import said_by
from detectors.decoding import Decoder, Run, readable_stretches
from detectors.types import Span

_BYTE = r"(?:\\x|0x)?[0-9A-Fa-f]{2}[\s,:;-]{0,2}"
_RUN = re.compile(rf"(?:{_BYTE}){{6,}}+[0-9A-Fa-f]?")
_NOISE = re.compile(r"\\x|0x|[\s,:;-]")


def _decode(text: str) -> Iterator[Run]:
    for match in _RUN.finditer(text):
        run = _NOISE.sub(lambda noise: " " * len(noise.group()), match.group()).rstrip()
        digits = run.replace(" ", "")
        said = said_by(_bytes(digits))
        if said is None:
            yield from _inside(run, digits, match.start())
        else:
            yield Run(Span(0, len(run)).shift(match.start()), said.text, cut=said.cut)


def _inside(run: str, digits: str, start: int) -> Iterator[Run]:
    """Read bytes behind digits of something else, at each of the two ways to begin."""
    at = [index for index, digit in enumerate(run) if digit != " "]
    for phase in (0, 1):
        for found, said in readable_stretches(_bytes(digits[phase:])):
            first, last = phase + 2 * found.start, phase + 2 * found.end - 1
            yield Run(Span(at[first], at[last] + 1).shift(start), said)


def _bytes(digits: str) -> bytes:
    return bytes.fromhex(digits[: len(digits) - len(digits) % 2])


DECODER: Final = Decoder("hex", rf"(?:{_BYTE}){{6}}", _decode)
