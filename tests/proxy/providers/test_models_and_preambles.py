"""In every dialect: another model than the client named, and a text before its system prompt."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.codec import Codec, Target
from proxy.providers.anthropic_count_tokens import CODEC as COUNT
from proxy.providers.anthropic_messages import CODEC as MESSAGES
from proxy.providers.gemini_generate import CODEC as GEMINI
from proxy.providers.openai_azure_chat import CODEC as AZURE
from proxy.providers.openai_chat import CODEC as CHAT
from proxy.providers.openai_embeddings import CODEC as EMBEDDINGS
from proxy.providers.openai_files import CODEC as FILES
from proxy.providers.openai_responses import CODEC as RESPONSES

GEMINI_PATH = "/v1beta/models/gemini-pro:streamGenerateContent"
AZURE_PATH = "/deployments/gpt/chat/completions"
SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize(
    ("codec", "path", "body"),
    [
        (CHAT, "/v1/chat/completions", {"model": "gpt", "models": ["gpt", "other"]}),
        (MESSAGES, "/v1/messages", {"model": "claude", "fallbacks": [{"model": "other"}]}),
        (EMBEDDINGS, "/v1/embeddings", {"model": "small", "input": "x"}),
        (GEMINI, GEMINI_PATH, {}),
        (AZURE, AZURE_PATH, {"model": "gpt"}),
    ],
)
def test_a_request_asks_for_the_other_model_alone(codec: Codec, path: str, body: dict[str, Any]) -> None:
    target = codec.with_model(Target("POST", path), body, "local-1")
    assert target is not None
    assert codec.models(target, body) == ("local-1",)
    assert codec.claims("POST", target.path)


@pytest.mark.parametrize(
    ("codec", "path", "body", "model"),
    [
        (FILES, "/v1/files", {}, "local"),
        (GEMINI, GEMINI_PATH, {"model": "models/gemini-flash"}, "local"),
        (GEMINI, GEMINI_PATH, {}, "vendor/../x"),
        (AZURE, AZURE_PATH, {"model": "gpt"}, "vendor/model"),
    ],
)
def test_where_no_other_model_can_be_asked_for_nothing_is_said(
    codec: Codec, path: str, body: dict[str, Any], model: str
) -> None:
    assert codec.with_model(Target("POST", path), body, model) is None


PLACED: list[tuple[Codec, dict[str, Any], dict[str, Any]]] = [
    (CHAT, {"messages": [SYSTEM, USER]}, {"messages": [{**SYSTEM, "content": "P\n\nBe brief."}, USER]}),
    (CHAT, {"messages": [USER]}, {"messages": [{"role": "system", "content": "P"}, USER]}),
    (
        CHAT,
        {"messages": [{**SYSTEM, "content": [{"type": "text", "text": "x"}]}]},
        {"messages": [{**SYSTEM, "content": [{"type": "text", "text": "P"}, {"type": "text", "text": "x"}]}]},
    ),
    (RESPONSES, {"input": "Hi"}, {"input": "Hi", "instructions": "P"}),
    (RESPONSES, {"instructions": "Be brief."}, {"instructions": "P\n\nBe brief."}),
    (MESSAGES, {"messages": [USER]}, {"messages": [USER], "system": "P"}),
    (MESSAGES, {"system": [{"type": "text", "text": "x"}]}, {"system": [{"type": "text", "text": t} for t in "Px"]}),
    (GEMINI, {"contents": []}, {"contents": [], "systemInstruction": {"parts": [{"text": "P"}]}}),
    (
        GEMINI,
        {"system_instruction": {"parts": [{"text": "x"}]}},
        {"system_instruction": {"parts": [{"text": "P"}, {"text": "x"}]}},
    ),
    (COUNT, {"messages": [USER]}, {"messages": [USER]}),
    (EMBEDDINGS, {"input": "x"}, {"input": "x"}),
]


@pytest.mark.parametrize(("codec", "body", "expected"), PLACED)
def test_a_preamble_stands_before_the_system_prompt_or_is_one(
    codec: Codec, body: dict[str, Any], expected: dict[str, Any]
) -> None:
    codec.place_preamble(body, "P")
    assert body == expected
