"""Hexadecimal bytes: plain, spaced, with colons, `\\x` or `0x` in front of each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from detectors.compressed import said_by
from detectors.decoding import LEAST, Decoder, Run, readable_stretches
from detectors.stepwise import replaced, whole_runs
from detectors.types import Span

_BYTE = r"(?:\\x|0x)?[0-9A-Fa-f]{2}[\s,:;-]{0,2}"
_BEGIN, _MORE = re.compile(rf"(?:{_BYTE}){{6,9999}}+"), re.compile(rf"(?:{_BYTE}){{1,9999}}+")
_DIGITS = frozenset("0123456789ABCDEFabcdef")
_BETWEEN = re.compile(r"[\s,:;-]")


def _decode(text: str) -> Iterator[Run]:
    for start, end in whole_runs(_BEGIN, _MORE, text):
        half = text[end : end + 1] in _DIGITS
        run = text[start : end + half].replace("\\x", "  ").replace("0x", "  ")
        run = run if run.isalnum() else replaced(_BETWEEN, " ", run).rstrip()
        digits = run.replace(" ", "")
        said = said_by(_bytes(digits))
        if said is None:
            yield from _inside(run, digits, start)
        else:
            yield Run(Span(start, start + len(run)), said.text, cut=said.cut)


def _inside(run: str, digits: str, start: int) -> Iterator[Run]:
    """Read bytes behind digits of something else, at each of the two ways to begin."""
    at: Sequence[int] = ()  # told only if something was found
    for phase in (0, 1) if len(digits) >= 2 * LEAST else ():
        for found, said in readable_stretches(_bytes(digits[phase:])):
            at = at or [index for index, digit in enumerate(run) if digit != " "]
            first, last = phase + 2 * found.start, phase + 2 * found.end - 1
            yield Run(Span(at[first], at[last] + 1).shift(start), said)


def _bytes(digits: str) -> bytes:
    return bytes.fromhex(digits[: len(digits) - len(digits) % 2])


DECODER: Final = Decoder("hex", rf"(?:{_BYTE}){{6}}", _decode)
