"""Words written backwards, each in its place: `erongi lla suoiverp`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from detectors.decoders.reversed import BACKWARDS
from detectors.decoding import Decoder, Pieces, Run
from detectors.types import Span

_WORD = re.compile(r"\w+")


def _decode(text: str) -> Iterator[Run]:
    yield Run(Span(0, len(text)), _WORD.sub(lambda word: word.group()[::-1], text), Pieces(partial(_pieces, text)))


def _pieces(text: str) -> Sequence[tuple[int, int]]:
    pieces = [(i, i + 1) for i in range(len(text))]
    for word in _WORD.finditer(text):
        pieces[word.start() : word.end()] = pieces[word.start() : word.end()][::-1]
    return pieces


DECODER: Final = Decoder("reversed_words", BACKWARDS, _decode)
