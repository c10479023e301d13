"""OpenAI embeddings: vectors are skipped by rule, and nothing else is taken for one."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.types import Direction
from proxy.bodies.json_document import parse
from proxy.bodies.walk import Walk
from proxy.providers.openai_embeddings import CODEC


def answered(embedding: bytes) -> Walk:
    raw = b'{"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": %b}]}' % embedding
    return CODEC.segments(parse(raw), Direction.RESPONSE)


@pytest.mark.parametrize(
    "embedding",
    [b"[0.5, -1.25, 0, 7]", b"[-0.006929283495992422, 1.2e-05, 1.50]", b'"zczMPZqZmT4AAIC/AAAAPw=="', b"[1e-3]"],
)
def test_a_vector_is_skipped_and_counted(embedding: bytes) -> None:
    walk = answered(embedding)

    assert walk.segments == []
    assert walk.skipped["vectors"] == 2


@pytest.mark.parametrize(
    "embedding",
    [b"[4111111111111111]", b"[0.5, 4111111111111111.0]", b'["0.5", "anna"]', b'"anna@example.org"', b'[{"a": "b"}]'],
)
def test_what_is_no_vector_is_read(embedding: bytes) -> None:
    walk = answered(embedding)

    assert walk.segments != []
    assert "vectors" not in walk.skipped


def test_a_large_answer_stays_within_the_bounds_of_a_walk() -> None:
    vector: Any = [0.123456789012345678 + n for n in range(3072)]
    body = {"data": [{"object": "embedding", "index": n, "embedding": vector} for n in range(64)]}
    walk = CODEC.segments(body, Direction.RESPONSE)

    assert (walk.segments, walk.unscanned) == ([], {})
