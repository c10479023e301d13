"""Base64, standard and URL-safe, padded or not, wrapped over lines or not."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Final

from detectors.decoding import Decoder, Run, readable
from detectors.types import Span

# A wrapped blob continues after a line end, a quote prefix or an escaped line end.
_RUN = re.compile(r"[A-Za-z0-9+/_-]{12,}(?:\s{1,4}[A-Za-z0-9+/_-]{4,})*={0,2}")
_PLAIN = str.maketrans("-_", "+/", " \t\r\n=")


def _decode(text: str) -> Iterator[Run]:
    for match in _RUN.finditer(text):
        said = _reading(match.group())
        if said is not None:
            yield Run(Span(*match.span()), said)
            continue
        # Words beside a blob look like its continuation: read its parts alone.
        for part in re.finditer(r"\S{12,}", match.group()):
            said = _reading(part.group())
            if said is not None:
                yield Run(Span(*part.span()).shift(match.start()), said)


def _reading(run: str) -> str | None:
    plain = run.translate(_PLAIN)
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    try:
        return readable(binascii.a2b_base64(plain + "=" * (-len(plain) % 4)))
    except binascii.Error:
        return None


DECODER: Final = Decoder("base64", r"[A-Za-z0-9+/_-]{12}", _decode)
