"""The contract of OpenAI's moderations: texts and parts are read, and what cannot be read is counted."""

from __future__ import annotations

import pytest

from detectors.types import Unscanned
from proxy.hook import Asked
from proxy.hooks.moderations import HOOK


def read(*inputs: object) -> Asked:
    return HOOK.read("/v1/moderations", {"input": list(inputs)}, ())


def picture(url: str) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.parametrize("head", ["data:image/png;base64,", "data:application/pdf;base64,"])
def test_a_picture_counts_as_media_for_the_policy(head: str) -> None:
    asked = read({"type": "text", "text": "what is this?"}, picture(f"{head}iVBORw0KGgo="))
    assert asked.walk.unscanned == {Unscanned.MEDIA: 1}
    assert [segment.text for segment in asked.walk.segments] == ["what is this?"]


def test_a_text_in_a_pictures_place_is_read() -> None:
    asked = read(picture("data:text/plain,hello"), "and this")
    assert [(s.pointer, s.text) for s in asked.walk.segments] == [
        ("/input/0/image_url/url", "data:text/plain,hello"),
        ("/input/1", "and this"),
    ]
    assert len(asked.walk.messages) == 2
