"""Compressed answers, although we ask for none: opened piece by piece, never larger than an answer may be."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import brotli  # type: ignore[import-untyped]
from multidict import CIMultiDict

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE: Final = 64 << 10
_ZLIB: Final = zlib.MAX_WBITS
_GZIP: Final = zlib.MAX_WBITS | 16
_ZSTD: Final[dict[int, int]] = {
    zstd.DecompressionParameter.window_log_max: 23
}  # RFC 9659: no more than 8 MiB for what HTTP carries


class EncodingError(Exception):
    """A body is not what its Content-Encoding says, or comes in one that we do not open. Translated in `answer`."""


class Opener(Protocol):
    """Opens one body."""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Yield what more of the body opens to, in pieces of some 64 KiB. Raises EncodingError."""

    def finish(self) -> None:
        """The body is at its end. Raises EncodingError if it should have gone on."""


class Inflater:
    """Opens a gzip (of any number of members) or deflate body."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._stream = zlib.decompressobj(_GZIP) if gzip else None

    def pieces(self, data: bytes) -> Iterator[bytes]:
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
        if self._stream is not None and not self._stream.eof:
            raise EncodingError

    def _next_member(self, rest: bytes) -> bytes:
        if not rest:
            return rest
        if not self._gzip:
            raise EncodingError
        self._stream = zlib.decompressobj(_GZIP)
        return rest


class Unbrotlier:
    """Opens a brotli body, which is one stream (RFC 7932)."""

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()
        self._begun = False

    def pieces(self, data: bytes) -> Iterator[bytes]:
        if not data:
            return
        self._begun = True
        piece = self._more(data)
        while piece:  # only an empty piece says that there is no more to these data
            yield piece
            piece = b"" if self._stream.is_finished() else self._more(b"")

    def finish(self) -> None:
        if self._begun and not self._stream.is_finished():
            raise EncodingError

    def _more(self, data: bytes) -> bytes:
        try:
            piece: bytes = self._stream.process(data, output_buffer_limit=PIECE)
        except brotli.error as exc:
            raise EncodingError from exc
        return piece


class Unzstandarder:
    """Opens a zstd body of any number of frames (RFC 8878)."""

    def __init__(self) -> None:
        self._stream = zstd.ZstdDecompressor(options=_ZSTD)
        self._begun = False

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while data or not (self._stream.needs_input or self._stream.eof):
            if self._stream.eof:
                self._stream = zstd.ZstdDecompressor(options=_ZSTD)
            self._begun = True
            try:
                piece = self._stream.decompress(data, PIECE)
            except zstd.ZstdError as exc:
                raise EncodingError from exc
            if piece:
                yield piece
            data = self._stream.unused_data if self._stream.eof else b""

    def finish(self) -> None:
        if self._begun and not self._stream.eof:
            raise EncodingError


_OPENERS: Final[dict[str, Callable[[], Opener]]] = {
    "gzip": lambda: Inflater(gzip=True),
    "x-gzip": lambda: Inflater(gzip=True),
    "deflate": lambda: Inflater(gzip=False),
    "br": Unbrotlier,
    "zstd": Unzstandarder,
}


def opener_of(headers: CIMultiDict[str]) -> Opener | None:
    """Return what opens a body with these headers, None if it is plain. Raises EncodingError for other encodings."""
    codings = headers.getall("Content-Encoding", [])
    if not codings:
        return None
    coding = ",".join(codings).strip().lower()
    if coding in {"", "identity"}:
        return None
    make = _OPENERS.get(coding)
    if make is None:
        raise EncodingError
    return make()


def _zlib_or_raw(data: bytes) -> int:
    # "deflate" means zlib (RFC 9110, 8.4.1.2), but some servers leave its two bytes out; 8 is zlib's method number.
    return _ZLIB if data[0] & 0x0F == 8 else -_ZLIB
