"""Embeddings: texts in, each a message of its own, and vectors out, which nobody reads."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.types import Direction, Origin, Place
from proxy.bodies.json_document import parse
from proxy.codec import Target
from proxy.providers.gemini_embed import CODEC

BATCH = Target("POST", "/v1beta/models/gemini-embedding-001:batchEmbedContents", "alt=sse&key=sk-1")


def test_one_text_and_a_batch_are_claimed_and_never_streamed() -> None:
    assert CODEC.claims("POST", "/v1/models/m:embedContent")
    assert CODEC.claims("POST", BATCH.path)
    assert not CODEC.streaming(BATCH, {})
    assert CODEC.upstream_path(BATCH) == "/models/gemini-embedding-001:batchEmbedContents"


@pytest.mark.parametrize("text", [{"text": "u"}, {"text": "u", "unheardOf": 1}])
def test_a_text_to_embed_is_the_users_and_so_is_its_title(text: Any) -> None:
    item = {"model": "models/m", "content": {"parts": [text]}, "title": "n", "taskType": "RETRIEVAL_DOCUMENT"}
    walk = CODEC.segments({"requests": [item, item]}, Direction.REQUEST)

    origins = {s.text: s.origin for s in walk.segments if s.place is Place.VALUE}
    assert origins == {"u": Origin.USER, "n": Origin.USER, "RETRIEVAL_DOCUMENT": Origin.METADATA}
    assert len(walk.messages) == 2
    assert walk.skipped["model"] == 4


@pytest.mark.parametrize("shape", ['{"embedding": %s}', '{"embeddings": [%s, %s]}'])
def test_the_numbers_of_a_vector_are_nobodys_text_however_long_they_are(shape: str) -> None:
    vector = '{"values": [0.01234567890123456789, -1e-7, 0.50, 1]}'
    walk = CODEC.segments(parse((shape.replace("%s", vector)).encode()), Direction.RESPONSE)

    assert walk.segments == []
    assert walk.skipped["vectors"] == 5 * shape.count("%s")


@pytest.mark.parametrize("values", ["[4111111111111111]", "[0.5, 41111111111111110000]", '["4111111111111111"]'])
def test_what_is_no_coordinate_is_read(values: str) -> None:
    walk = CODEC.segments(parse(b'{"embedding": {"values": %s}}' % values.encode()), Direction.RESPONSE)

    assert any(segment.text.startswith("4111111111111111") for segment in walk.segments)
