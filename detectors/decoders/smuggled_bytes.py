"""Bytes in variation selectors: U+FE00 to U+FE0F are 0 to 15, U+E0100 to U+E01EF the rest; people see nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from detectors.decoding import Decoder, Pieces, Run, readable
from detectors.stepwise import every, replaced
from detectors.types import Span

_SELECTOR = "[\ufe00-\ufe0f\U000e0100-\U000e01ef]"
_BYTES = str.maketrans({(0xFE00 if byte < 16 else 0xE0100 - 16) + byte: chr(byte) for byte in range(256)})
_PAYLOAD = re.compile(f"{_SELECTOR}+")
# One selector behind an emoji, a digit of a key cap or an ideograph is text; Unicode names few for each ideograph.
_TEXT = re.compile(f"(?:[0-9#*][\ufe0e\ufe0f]|[^\x00-\x7f][\ufe00-\ufe0f\U000e0100-\U000e0105])(?!{_SELECTOR})")


def _decode(text: str) -> Iterator[Run]:
    bare = replaced(_TEXT, lambda natural: " " * len(natural.group()), text)
    # Read as one, however many other characters stand between them.
    raw = "".join(every(_PAYLOAD, bare)).translate(_BYTES).encode("latin-1")
    said = readable(raw)
    if said is not None:
        aligned = len(said) == len(raw)  # all ASCII: a selector is a character
        yield Run(Span(0, len(text)), said, Pieces(partial(_places, bare)) if aligned else None)


def _places(bare: str) -> Sequence[tuple[int, int]]:
    return [(i, i + 1) for run in _PAYLOAD.finditer(bare) for i in range(*run.span())]


DECODER: Final = Decoder(
    "smuggled_bytes",
    r"[\x{FE00}-\x{FE0F}\x{E0100}-\x{E01EF}]{2}|[A-Za-z .,][\x{FE00}-\x{FE0F}]|[\x{E0106}-\x{E01EF}]",
    _decode,
    raw=True,
)
