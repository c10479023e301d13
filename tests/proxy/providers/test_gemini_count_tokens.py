"""Counting tokens: contents alone or a whole request, read like the request that is counted."""

from __future__ import annotations

import pytest

from detectors.types import Direction, Origin
from proxy.codec import Target
from proxy.providers.gemini_count_tokens import CODEC

TARGET = Target("POST", "/v1/models/gemini-2.5-flash:countTokens")


def test_only_counting_is_claimed() -> None:
    assert CODEC.claims(TARGET.method, TARGET.path)
    assert not CODEC.claims("POST", TARGET.path.replace("countTokens", "generateContent"))


@pytest.mark.parametrize("name", ["generateContentRequest", "generate_content_request"])
def test_a_request_inside_is_read_like_one_outside(name: str) -> None:
    request = {
        "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [{"role": "model", "parts": [{"text": "a"}]}],
    }
    walk = CODEC.segments({name: request | {"model": "models/other"}}, Direction.REQUEST)

    assert {s.text: s.origin for s in walk.segments} == {"s": Origin.SYSTEM, "a": Origin.ASSISTANT}
    assert walk.segments[1].pointer == f"/{name}/contents/0/parts/0/text"
    assert CODEC.models(TARGET, {name: request | {"model": "models/other"}}) == ("gemini-2.5-flash", "other")


def test_a_count_says_nothing() -> None:
    assert CODEC.segments({"totalTokens": 31, "cachedContentTokenCount": 0}, Direction.RESPONSE).segments == []
