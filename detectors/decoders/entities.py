"""HTML character references: named, decimal, hexadecimal, and their ampersands escaped again (`&amp;#105;`)."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from detectors.decoders._alternatives import clusters_of
from detectors.decoding import Decoder, Run, rewritten

_NAMED, _NUMBERED = "[A-Za-z][A-Za-z0-9]{1,31};", "#(?:[0-9]{1,8}|[xX][0-9A-Fa-f]{1,8});?"
_REFERENCE = re.compile(rf"&(?:amp;|#38;|#[xX]26;)*+({_NAMED}|{_NUMBERED})")


def _decode(text: str) -> Iterator[Run]:
    yield rewritten(text, _REFERENCE, lambda reference: _meaning(reference.group(1)))


@lru_cache(maxsize=4096)
def _meaning(name: str) -> str:
    return html.unescape(f"&{name}")


DECODER: Final = Decoder(
    "entities", f"&(?:{_NAMED}|{_NUMBERED})", _decode, rewrites=True, marks=clusters_of(_REFERENCE.pattern, "&")
)
