"""The base's file: what is packed in it comes out, and another file is none."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from detectors.errors import ConfigurationError
from detectors.models.training.base import FILE, read_base, unpacked

WIDTH, INNER = 32, 64
PIECES = ("<s>", "▁für", "字")


def packed(weights: dict[str, tuple[int, bytes, int]]) -> bytes:
    """Return a file with those weights: kind, bytes, count of numbers."""
    text = "".join(PIECES).encode()
    ends = np.cumsum([0, *(len(piece.encode()) for piece in PIECES)])
    head = struct.pack("<4sI7ifi", b"E5S1", 1, WIDTH, 1, 1, INNER, 3, 4, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(text))
    head += ends.astype("<u4").tobytes() + np.array([0, -3.5, -9], "<f4").tobytes() + text
    head += struct.pack("<iI", 1, 5) + b"\0" * 5
    entries = b"".join(struct.pack("<H", len(name)) + name.encode() + b"\0" * 21 for name in weights)
    start = len(head) + 4 + len(entries)
    directory, body = struct.pack("<i", len(weights)), b""
    for name, (kind, raw, count) in weights.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", kind, count, start + len(body), len(raw))
        body += raw
    return head + directory + body


def block(scale: float, low: int, high: int) -> bytes:
    return np.float16(scale).tobytes() + bytes([high << 4 | low] * 16)


def test_what_was_packed_comes_out() -> None:
    base = unpacked(
        packed(
            {
                "emb.word": (1, block(0.5, 8, 15) + block(2, 0, 9), 64),
                "l0.q.b": (0, np.arange(WIDTH, dtype="<f4").tobytes(), WIDTH),
                "l0.fo.w": (1, (block(1, 9, 8) * 2) * WIDTH, INNER * WIDTH),
            }
        )
    )
    assert base.pieces == list(PIECES)
    assert base.scores.tolist() == [0, -3.5, -9]
    assert base.weights["emb.word"].tolist() == [[0.0] * 16 + [3.5] * 16, [-16.0] * 16 + [2.0] * 16]
    assert base.weights["l0.q.b"].tolist() == list(range(WIDTH))
    assert base.weights["l0.fo.w"].shape == (WIDTH, INNER)


def test_another_file_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no file of this kind"):
        unpacked(b"GGUF" + bytes(100))
    (tmp_path / FILE).write_bytes(packed({}))
    with pytest.raises(ConfigurationError, match=r"is not the base that this was made for"):
        read_base(tmp_path)
