"""Compressed bodies: opened whole, bounded, and refused when they are not what they say."""

from __future__ import annotations

import gzip
import zlib

import brotli  # type: ignore[import-untyped]
import pytest
from backports import zstd
from multidict import CIMultiDict

from proxy.pool.content_encoding import PIECE, EncodingError, Opener, opener_of

TEXT = b"The quick brown fox. " * 20000


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKED = {
    "gzip": gzip.compress(TEXT, mtime=0),
    "X-GZIP": gzip.compress(TEXT[:70], mtime=0) + gzip.compress(TEXT[70:], mtime=0),
    "deflate": zlib.compress(TEXT),
    " Deflate": raw_deflate(TEXT),
    "br": brotli.compress(TEXT, quality=4),
    "zstd": zstd.compress(TEXT[:70]) + zstd.compress(TEXT[70:]),
}


def opener(coding: str) -> Opener:
    opened = opener_of(CIMultiDict({"content-encoding": coding}))
    assert opened is not None
    return opened


def open_whole(coding: str, data: bytes) -> bytes:
    opened = opener(coding)
    text = b"".join(opened.pieces(data))
    opened.finish()  # brotli has no mark to know it by: what is none may seem to begin well
    return text


@pytest.mark.parametrize("coding", PACKED)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_any_cutting_opens_to_the_same_text(coding: str, size: int) -> None:
    opened, packed = opener(coding), PACKED[coding]
    cuts = [packed[n : n + size] for n in range(0, len(packed), size)]
    assert b"".join(piece for cut in cuts for piece in opened.pieces(cut)) == TEXT
    opened.finish()


BOMBS = {
    "gzip": gzip.compress(bytes(50 << 20), mtime=0),
    "br": brotli.compress(bytes(50 << 20), quality=1),
    "zstd": zstd.compress(bytes(50 << 20), 1),
}


@pytest.mark.parametrize("coding", BOMBS)
def test_a_bomb_comes_in_pieces(coding: str) -> None:
    pieces = opener(coding).pieces(BOMBS[coding])

    assert max(len(next(pieces)) for _ in range(20)) <= 2 * PIECE


def test_a_zstd_body_that_wants_more_memory_than_http_allows_is_refused() -> None:
    wide: dict[int, int] = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.compression_level: 1}
    packer = zstd.ZstdCompressor(options=wide)
    packed = packer.compress(bytes(1 << 20)) + packer.flush()

    with pytest.raises(EncodingError):
        list(opener("zstd").pieces(packed))


@pytest.mark.parametrize("coding", PACKED)
def test_a_body_cut_short_is_not_whole(coding: str) -> None:
    opened = opener(coding)
    for _ in opened.pieces(PACKED[coding][:-9]):
        pass
    with pytest.raises(EncodingError):
        opened.finish()


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", b"plain text"),
        ("deflate", zlib.compress(TEXT) + b"more"),
        ("br", b"plain text"),
        ("br", brotli.compress(TEXT) + b"more"),
        ("zstd", b"plain text"),
        ("zstd", zstd.compress(TEXT) + b"more"),
    ],
)
def test_a_body_that_is_something_else_is_refused(coding: str, data: bytes) -> None:
    with pytest.raises(EncodingError):
        open_whole(coding, data)


@pytest.mark.parametrize("coding", ["compress", "gzip, br", "gzip, gzip", "identity, gzip", "nonsense"])
def test_other_encodings_are_refused(coding: str) -> None:
    with pytest.raises(EncodingError):
        opener_of(CIMultiDict({"Content-Encoding": coding}))


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "deflate"])
def test_no_body_at_all_needs_no_end(coding: str) -> None:
    opened = opener(coding)
    assert list(opened.pieces(b"")) == []
    if coding != "gzip":
        opened.finish()


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "identity"}, {"Content-Encoding": ""}])
def test_a_plain_body_needs_no_opening(headers: dict[str, str]) -> None:
    assert opener_of(CIMultiDict(headers)) is None
