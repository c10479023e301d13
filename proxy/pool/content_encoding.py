"""Compressed answers, although we ask for none: opened piece by piece, never larger than an answer may be."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from multidict import CIMultiDict

PIECE: Final = 64 << 10
_ZLIB: Final = zlib.MAX_WBITS
_GZIP: Final = zlib.MAX_WBITS | 16


class EncodingError(Exception):
    """A body is not what its Content-Encoding says, or comes in one that we do not open. Translated in `answer`."""


class Inflater:
    """Opens a gzip (of any number of members) or deflate body."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._stream = zlib.decompressobj(_GZIP) if gzip else None

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Yield what more of the body opens to, in pieces of at most 64 KiB. Raises EncodingError."""
        while data:
            stream = self._stream = self._stream or zlib.decompressobj(_zlib_or_raw(data))
            try:
                piece = stream.decompress(data, PIECE)
            except zlib.error as exc:
                raise EncodingError from exc
            if piece:
                yield piece
            data = stream.unconsumed_tail
            if stream.eof:
                data = self._next_member(stream.unused_data)

    def finish(self) -> None:
        """The body is at its end. Raises EncodingError if it should have gone on."""
        if self._stream is not None and not self._stream.eof:
            raise EncodingError

    def _next_member(self, rest: bytes) -> bytes:
        if not rest:
            return rest
        if not self._gzip:
            raise EncodingError
        self._stream = zlib.decompressobj(_GZIP)
        return rest


def inflater(headers: CIMultiDict[str]) -> Inflater | None:
    """Return what opens a body with these headers, None if it is plain. Raises EncodingError for other encodings."""
    codings = headers.getall("Content-Encoding", [])
    if not codings:
        return None
    coding = ",".join(codings).strip().lower()
    if coding in {"", "identity"}:
        return None
    if coding not in {"gzip", "x-gzip", "deflate"}:
        raise EncodingError
    return Inflater(gzip=coding != "deflate")


def _zlib_or_raw(data: bytes) -> int:
    # "deflate" means zlib (RFC 9110, 8.4.1.2), but some servers leave its two bytes out; 8 is zlib's method number.
    return _ZLIB if data[0] & 0x0F == 8 else -_ZLIB
