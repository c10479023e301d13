"""What bytes say: as they are, or once inflated, within a bound."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from detectors.decoding import readable

# Text shrinks to a tenth at best. What grows further is a bomb, whose end nobody reads.
MOST_GROWTH, FREE = 16, 1024
_GZIP, _ZLIB = 31, 15  # zlib's `wbits`


@dataclass(frozen=True, slots=True)
class Said:
    """A text that bytes hold. `cut`: there was more of it than the bound lets out."""

    text: str
    cut: bool = False


def said_by(raw: bytes) -> Said | None:
    """Return the text that `raw` is or that it packs with gzip or zlib, if either is text."""
    text = readable(raw)
    if text is not None:
        return Said(text)
    wrapper = _wrapper(raw)
    if wrapper is None:
        return None
    inflater = zlib.decompressobj(wrapper)
    try:
        inflated = inflater.decompress(raw, MOST_GROWTH * len(raw) + FREE)
    except zlib.error:
        return None
    cut = bool(inflater.unconsumed_tail)
    text = readable(inflated) if not cut else inflated.decode("utf-8", "replace")
    return None if text is None else Said(text, cut)


def _wrapper(raw: bytes) -> int | None:
    if raw[:2] == b"\x1f\x8b":
        return _GZIP
    # RFC 1950: the method is 8, and the first two bytes are a multiple of 31.
    if len(raw) > 2 and raw[0] & 0x0F == 8 and int.from_bytes(raw[:2]) % 31 == 0:
        return _ZLIB
    return None
