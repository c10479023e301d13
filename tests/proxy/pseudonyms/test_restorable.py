"""Places by path: what is said, and what is called with what."""

from __future__ import annotations

from typing import Any

import pytest

import proxy.providers
from detectors.discovery import discover
from proxy.codec import Codec
from proxy.pseudonyms.restorable import SPOKEN, Layout, Use
from tests.contracts.targets import TARGETS

LAYOUT = Layout(spoken=("said/*/text", "title"), called=("calls/*/arguments",))
CODECS = discover(proxy.providers, "CODEC", Codec)  # type: ignore[type-abstract]


def found(document: Any, layout: Layout = LAYOUT) -> list[tuple[Any, Use]]:
    return [(holder[key], use) for holder, key, use in layout.places(document)]


def test_texts_come_in_their_order_and_calls_with_their_tools() -> None:
    calls = [{"name": "send", "arguments": "{}"}, {"arguments": {}}, {"name": 5, "arguments": "x"}]
    document = {"said": [{"text": "a"}, {"text": "b"}], "title": "t", "calls": calls}
    texts = [("a", SPOKEN), ("b", SPOKEN), ("t", SPOKEN)]
    assert found(document) == [*texts, ("{}", Use("send")), ({}, Use("")), ("x", Use(""))]


@pytest.mark.parametrize("document", [None, [], "x", {"said": "x"}, {"said": [1, None]}, {"said": [{"text": 1}]}])
def test_other_shapes_have_no_places(document: Any) -> None:
    assert found(document) == []


def test_a_channel_speaks_if_its_path_is_that_of_a_text() -> None:
    assert LAYOUT.speaks("said/7/text")
    assert not any(map(LAYOUT.speaks, ("said/text", "said/7/text/more", "calls/1/arguments", "")))


ANSWERS: dict[str, Any] = {
    "openai_chat": {"choices": [{"message": {
        "content": "SAID", "refusal": "SAID", "reasoning": "SAID", "tool_calls": [
            {"function": {"name": "send", "arguments": "CALLED"}}, {"custom": {"name": "send", "input": "CALLED"}}]}}]},
    "openai_completions": {"choices": [{"text": "SAID"}]},
    "openai_responses": {"output": [
        {"type": "message", "content": [{"text": "SAID"}, {"refusal": "SAID"}]},
        {"type": "reasoning", "summary": [{"text": "SAID"}], "encrypted_content": "LEFT"},
        {"type": "function_call", "name": "send", "arguments": "CALLED"}]},
    "openai_response_by_id": {"object": "list", "data": [{"role": "user", "content": [{"text": "SAID"}]}]},
    "openai_conversation_by_id": {"type": "message", "content": [{"text": "SAID"}]},
    "openai_transcriptions": {"text": "SAID"},
    "openai_images": {"data": [{"revised_prompt": "SAID", "url": "LEFT"}]},
    "anthropic_messages": {"content": [
        {"type": "thinking", "thinking": "LEFT", "signature": "s"}, {"type": "text", "text": "SAID"},
        {"type": "tool_use", "name": "send", "input": "CALLED"}]},
    "gemini_generate": {"candidates": [{"content": {"parts": [
        {"text": "SAID"}, {"text": "SAID", "thoughtSignature": "s"}, {"text": "SAID", "thought": True},
        {"functionCall": {"name": "send", "args": "CALLED"}},
        {"functionCall": {"name": "send", "args": "CALLED"}, "thoughtSignature": "s"}]}}]},
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_each_dialect_says_where_its_texts_and_calls_stand(name: str) -> None:
    codec = next(codec for codec in CODECS if codec.name == name)
    answer = ANSWERS[name]
    places = found(answer, codec.layout)
    assert all(value == ("SAID" if use is SPOKEN else "CALLED") for value, use in places)
    assert {use for _, use in places} <= {SPOKEN, Use("send")}
    assert [len([v for v, _ in places if v == kind]) for kind in ("SAID", "CALLED")] == [
        repr(answer).count("SAID"), repr(answer).count("CALLED")
    ]  # fmt: skip


def test_every_codec_answers_for_every_channel() -> None:
    for codec in CODECS:
        reader = codec.stream(TARGETS[codec.name])
        assert list(reader.layout.places({})) == list(codec.layout.places({})) == []
