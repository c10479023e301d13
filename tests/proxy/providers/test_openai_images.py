"""OpenAI images: prompts both ways are read, pixels are media, files at the provider are named."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from detectors.types import Direction, Origin, Unscanned
from proxy.codec import Reference
from proxy.providers import openai_image_edits
from proxy.providers.openai_images import CODEC
from tests.contracts.targets import TARGETS

EDITS = openai_image_edits.CODEC
PIXELS = b64encode(bytes(range(0, 256, 3))).decode()


def test_of_an_answer_the_revised_prompt_and_the_address_are_read() -> None:
    body = {"created": 5, "data": [{"b64_json": PIXELS, "revised_prompt": "a"}, {"url": "https://x.example/b"}]}
    walk = CODEC.segments(body, Direction.RESPONSE)

    assert [(s.text, s.origin) for s in walk.segments] == [
        ("a", Origin.ASSISTANT), ("https://x.example/b", Origin.ASSISTANT),
    ]  # fmt: skip
    assert walk.unscanned == {Unscanned.MEDIA: 1}


@pytest.mark.parametrize(
    ("body", "references"),
    [
        ({"images": [{"image_url": "x"}, {"file_id": "f-1"}]}, (Reference("file", "f-1", "/images/1/file_id"),)),
        ({"images": [], "mask": {"file_id": "f-2"}}, (Reference("file", "f-2", "/mask/file_id"),)),
        ({"images": {"file_id": 5}, "mask": "f-2"}, ()),
        ({}, ()),
    ],
)
def test_an_edit_says_which_files_at_the_provider_it_leans_on(body: Any, references: tuple[Reference, ...]) -> None:
    assert EDITS.references(TARGETS[EDITS.name], body) == references
