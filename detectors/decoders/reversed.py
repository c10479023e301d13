"""Text written backwards, or shown backwards by bidirectional overrides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detectors.decoding import Decoder, Mirrored, Run
from detectors.types import Span

_WORDS = (
    "ignore",
    "disregard",
    "forget",
    "previous",
    "instructions",
    "system",
    "prompt",
    "reveal",
    "override",
    "bypass",
    "password",
    "secret",
    "pretend",
    "restrictions",
)
BACKWARDS: Final = rf"(?i)\b(?:{'|'.join(word[::-1] for word in _WORDS)})\b"


def _decode(text: str) -> Iterator[Run]:
    yield Run(Span(0, len(text)), text[::-1], Mirrored(len(text)))


DECODER: Final = Decoder("reversed", rf"{BACKWARDS}|[\x{{202D}}\x{{202E}}\x{{2067}}]", _decode, raw=True)
