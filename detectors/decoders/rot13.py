"""ROT13, whole text at once; the gate looks for rotated words that attacks need and no language has."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Final

from detectors.decoding import Aligned, Decoder, Run
from detectors.types import Span

_WORDS = (
    "ignore", "disregard", "forget", "previous", "instructions?", "system", "prompt", "reveal", "override",
    "bypass", "password", "secret", "pretend", "restrictions?", "rules", "the", "your", "you",
)  # fmt: skip


def _decode(text: str) -> Iterator[Run]:
    yield Run(Span(0, len(text)), codecs.encode(text, "rot13"), Aligned())


DECODER: Final = Decoder("rot13", rf"(?i)\b(?:{'|'.join(codecs.encode(w, 'rot13') for w in _WORDS)})\b", _decode)
