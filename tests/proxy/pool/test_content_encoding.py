"""Compressed bodies: opened whole, bounded, and refused when they are not what they say."""

from __future__ import annotations

import gzip
import zlib

import pytest
from multidict import CIMultiDict

from proxy.pool.content_encoding import PIECE, EncodingError, Inflater, inflater

TEXT = b"The quick brown fox. " * 20000


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKED = {
    "gzip": gzip.compress(TEXT, mtime=0),
    "X-GZIP": gzip.compress(TEXT[:70], mtime=0) + gzip.compress(TEXT[70:], mtime=0),
    "deflate": zlib.compress(TEXT),
    " Deflate": raw_deflate(TEXT),
}


def opener(coding: str) -> Inflater:
    opened = inflater(CIMultiDict({"content-encoding": coding}))
    assert opened is not None
    return opened


@pytest.mark.parametrize("coding", PACKED)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_any_cutting_opens_to_the_same_text(coding: str, size: int) -> None:
    opened, packed = opener(coding), PACKED[coding]
    cuts = [packed[n : n + size] for n in range(0, len(packed), size)]
    assert b"".join(piece for cut in cuts for piece in opened.pieces(cut)) == TEXT
    opened.finish()


def test_a_bomb_comes_in_pieces() -> None:
    pieces = opener("gzip").pieces(gzip.compress(bytes(50 << 20), mtime=0))
    assert max(len(next(pieces)) for _ in range(20)) <= PIECE


@pytest.mark.parametrize("coding", PACKED)
def test_a_body_cut_short_is_not_whole(coding: str) -> None:
    opened = opener(coding)
    for _ in opened.pieces(PACKED[coding][:-9]):
        pass
    with pytest.raises(EncodingError):
        opened.finish()


@pytest.mark.parametrize(("coding", "data"), [("gzip", b"plain text"), ("deflate", zlib.compress(TEXT) + b"more")])
def test_a_body_that_is_something_else_is_refused(coding: str, data: bytes) -> None:
    with pytest.raises(EncodingError):
        list(opener(coding).pieces(data))


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "identity, gzip", "nonsense"])
def test_other_encodings_are_refused(coding: str) -> None:
    with pytest.raises(EncodingError):
        inflater(CIMultiDict({"Content-Encoding": coding}))


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "identity"}, {"Content-Encoding": ""}])
def test_a_plain_body_needs_no_opening(headers: dict[str, str]) -> None:
    assert inflater(CIMultiDict(headers)) is None
