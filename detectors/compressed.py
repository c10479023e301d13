"""What bytes say: as they are, or once inflated, within a bound."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from detectors.decoding import readable

# Text shrinks to a tenth at best. What grows further is a bomb, whose end nobody reads.
MOST_GROWTH, FREE = 16, 1024
_GZIP, _ZLIB = 31, 15  # zlib's `wbits`
_MEMBER, _MOST_MEMBERS = b"\x1f\x8b", 64


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
    members, cut = _inflated(raw, wrapper)
    # Packed twice: nobody reads on, and that is to be known.
    plain = [member for member in members if _wrapper(member) is None or readable(member) is not None]
    inflated, cut = b"".join(plain), cut or len(plain) < len(members)
    text = readable(inflated) if not cut else inflated.decode("utf-8", "replace")
    return None if text is None else Said(text, cut)


def _inflated(raw: bytes, wrapper: int) -> tuple[list[bytes], bool]:
    """Inflate every member, one behind the other; return what they hold, and whether there is more, not read."""
    room, members, rest = MOST_GROWTH * len(raw) + FREE, list[bytes](), raw
    while rest and room > 0 and len(members) < _MOST_MEMBERS and (not members or rest.startswith(_MEMBER)):
        inflater = zlib.decompressobj(wrapper)
        try:
            member = inflater.decompress(rest, room)
        except zlib.error:
            return members, bool(members)
        members.append(member)
        room -= len(member)
        if inflater.unconsumed_tail or not (room or inflater.eof):
            return members, True
        rest = inflater.unused_data.lstrip(b"\0")  # which readers of gzip skip
    return members, _wrapper(rest) is not None  # plain bytes behind are of whoever wrote the archive into a text


def _wrapper(raw: bytes) -> int | None:
    if raw.startswith(_MEMBER):
        return _GZIP
    # RFC 1950: the method is 8, and the first two bytes are a multiple of 31.
    if len(raw) > 2 and raw[0] & 0x0F == 8 and int.from_bytes(raw[:2]) % 31 == 0:
        return _ZLIB
    return None
