"""The canary goes behind the system prompt of every dialect, comes back to nobody, and is all that goes unscanned."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from detectors.canary import canary_of, canary_sentence
from detectors.types import Direction
from policies.types import Policy
from proxy.bodies.json_document import dump
from proxy.codec import Codec
from proxy.exchange import Exchange
from proxy.guarding import guard_answer, take_back
from proxy.providers import anthropic_messages, gemini_generate, openai_chat, openai_completions, openai_responses
from tests.proxy.conftest import MakePolicy

KEY = b"k" * 32
SENTENCE = canary_sentence(canary_of(KEY))
BEHIND = f"Be kind.\n\n{SENTENCE}"
CHAT, RESPONSES = openai_chat.CODEC, openai_responses.CODEC
USER = {"role": "user", "content": "Hi"}


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def system(content: str) -> dict[str, str]:
    return {"role": "system", "content": content}


@pytest.fixture
def policy(make_policy: MakePolicy) -> Policy:
    return make_policy("leakage: {canary: true}")


def guarded(codec: Codec, body: dict[str, Any], policy: Policy) -> Exchange:
    exchange = Exchange.open(None, "", "")
    exchange.content_key = KEY
    guard_answer(exchange, policy, codec, body, codec.segments(body, Direction.REQUEST))
    return exchange


@pytest.mark.parametrize(
    ("codec", "body", "expected"),
    [
        (CHAT, {"messages": [system("Be kind."), USER]}, [system(BEHIND), USER]),
        (
            CHAT,
            {"messages": [USER, {"role": "developer", "content": [text("Be kind.")]}]},
            [USER, {"role": "developer", "content": [text("Be kind."), text(SENTENCE)]}],
        ),
        (RESPONSES, {"instructions": "Be kind.", "input": "Hi"}, BEHIND),
        (RESPONSES, {"input": [{"role": "developer", "content": "Be kind."}]}, SENTENCE),
        (anthropic_messages.CODEC, {"system": "Be kind.", "messages": [USER]}, BEHIND),
        (anthropic_messages.CODEC, {"system": [text("Be kind.")]}, [text("Be kind."), text(SENTENCE)]),
        (
            gemini_generate.CODEC,
            {"system_instruction": {"parts": [{"text": "Be kind."}]}},
            {"parts": [{"text": "Be kind."}, {"text": SENTENCE}]},
        ),
    ],
)  # fmt: skip
def test_it_goes_behind_the_system_prompt(codec: Codec, body: dict[str, Any], expected: object, policy: Policy) -> None:
    exchange = guarded(codec, body, policy)
    assert expected in body.values()
    assert exchange.guard is not None
    assert exchange.guard.canary in SENTENCE


@pytest.mark.parametrize(
    ("codec", "body"),
    [
        (CHAT, {"messages": [USER]}),
        (CHAT, {"messages": [{"role": "system", "content": ""}]}),
        (RESPONSES, {"input": "Hi"}),
        (anthropic_messages.CODEC, {"messages": [USER]}),
        (gemini_generate.CODEC, {"contents": [], "systemInstruction": None}),
        (openai_completions.CODEC, {"prompt": "Hi", "system": "Be kind."}),
    ],
)
def test_where_there_is_no_system_prompt_none_is_made(codec: Codec, body: dict[str, Any], policy: Policy) -> None:
    before = copy.deepcopy(body)
    guarded(codec, body, policy)
    assert body == before


@pytest.mark.parametrize("more", ["", "mode: monitor\nleakage: {canary: true}"])
def test_without_a_canary_or_only_watching_nothing_is_changed(more: str, make_policy: MakePolicy) -> None:
    body = {"messages": [{"role": "system", "content": "Be kind."}]}
    exchange = guarded(CHAT, body, make_policy(more))
    assert SENTENCE not in dump(body).decode()
    assert exchange.guard is not None
    assert (exchange.guard.canary, exchange.guard.prompt is None) == ("", False)


@pytest.mark.parametrize(("repeated", "bare"), [(BEHIND, "Be kind."), (SENTENCE, None)])
def test_what_a_provider_repeats_comes_back_as_it_was(repeated: str, bare: str | None) -> None:
    document = {"id": "resp_1", "object": "response", "instructions": repeated, "output": []}
    walk = RESPONSES.segments(document, Direction.RESPONSE)
    take_back(document, walk)
    assert document["instructions"] == bare
    assert [s.text for s in walk.segments] == ([bare] if bare else [])
    assert [s.text for message in walk.messages for s in message] == ([bare] if bare else [])


def test_what_a_model_says_is_left_for_the_screen() -> None:
    document = {"choices": [{"index": 0, "message": {"role": "assistant", "content": BEHIND}}]}
    before = copy.deepcopy(document)
    take_back(document, CHAT.segments(document, Direction.RESPONSE))
    assert document == before
