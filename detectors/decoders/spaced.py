"""Letters set apart by spaces, dots, dashes or stars: `i g n o r e`, `i.g.n.o.r.e`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from detectors.decoding import Decoder, Run
from detectors.types import Span

_SEPARATOR = r"[ .\-_*|]"
_RUN = re.compile(rf"\b[^\W_](?:{_SEPARATOR}{{1,3}}[^\W_]\b){{4,}}")


def _decode(text: str) -> Iterator[Run]:
    for match in _RUN.finditer(text):
        # Two separators or more stand between words, one between letters.
        words = re.split(rf"{_SEPARATOR}{{2,}}", match.group())
        said = " ".join("".join(c for c in word if c.isalnum()) for word in words)
        yield Run(Span(*match.span()), said)


DECODER: Final = Decoder("spaced", rf"\b\w(?:{_SEPARATOR}{{1,3}}\w\b){{4}}", _decode)
