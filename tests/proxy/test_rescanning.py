"""What a stored body says is read again as it was read when it passed."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest

from detectors.types import Direction
from proxy.codec import Codec
from proxy.providers.anthropic_messages import CODEC as MESSAGES
from proxy.providers.openai_chat import CODEC as CHAT
from proxy.rescanning import walk_of


def chat(*words: str) -> str:
    chunks = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in words]
    return "".join(f"data: {orjson.dumps(chunk).decode()}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def messages(*words: str) -> str:
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}} for word in words
    ]
    return "".join(f"event: {delta['type']}\ndata: {orjson.dumps(delta).decode()}\n\n" for delta in deltas)


@pytest.mark.parametrize(
    ("codec", "route", "stream"), [(CHAT, "POST /v1/chat/completions", chat), (MESSAGES, "POST /v1/messages", messages)]
)
def test_a_stream_is_read_as_the_text_it_became(codec: Codec, route: str, stream: Callable[..., str]) -> None:
    walk = walk_of(codec, route, stream("My key is AK", "IA and", " so on"), Direction.RESPONSE)

    assert walk is not None
    assert "My key is AKIA and so on" in [segment.text for segment in walk.segments]


def test_a_request_is_read_as_a_request() -> None:
    body = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).decode()
    walk = walk_of(CHAT, "POST /v1/chat/completions", body, Direction.REQUEST)

    assert walk is not None
    assert [(segment.text, str(segment.origin)) for segment in walk.segments] == [("hi", "user")]


@pytest.mark.parametrize("text", ["", "no document", "data: {broken\n\n", "data: "])
def test_what_is_no_document_is_not_read(text: str) -> None:
    walk = walk_of(CHAT, "POST /v1/chat/completions", text, Direction.RESPONSE)
    assert walk is None or walk.segments == []
