"""LiteLLM's SDK through the firewall, in OpenAI's and in Anthropic's dialect, with its own classes of errors."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import litellm
import pytest

from tests.sdk.conftest import Running
from tests.sdk.texts import ATTACK, MASKED, ORDINARY, PERSONAL

OPENAI, ANTHROPIC = "openai/demo-small", "anthropic/claude-sonnet-4-5"
both = pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])


def ask(running: Running, model: str, text: str, **more: Any) -> Any:
    base = running.url if model.startswith("openai/") else running.root
    settings = {"api_base": base, "api_key": running.key, "num_retries": 0, "max_retries": 0, **more}
    return litellm.completion(model, [{"role": "user", "content": text}], **settings)


def said(answer: Any) -> str:
    return str(answer.choices[0].message.content)


def streamed(running: Running, model: str, text: str) -> str:
    chunks = ask(running, model, text, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


@both
def test_an_ordinary_question_is_answered(running: Running, model: str) -> None:
    answer = ask(running, model, ORDINARY)
    assert ORDINARY in said(answer)
    assert answer.usage.prompt_tokens > 0


@both
def test_an_answer_is_streamed(running: Running, model: str) -> None:
    assert ORDINARY in streamed(running, model, ORDINARY)


@both
def test_personal_data_does_not_reach_the_upstream(running: Running, model: str) -> None:
    assert MASKED in said(ask(running, model, PERSONAL))
    assert MASKED in streamed(running, model, PERSONAL)


@both
@pytest.mark.parametrize("stream", [False, True])
def test_a_block_is_a_bad_request_that_says_why(running: Running, model: str, stream: bool) -> None:
    with pytest.raises(
        litellm.BadRequestError, match=r"blocked by policy \(prompt_injection, system_prompt_leak\)"
    ) as caught:
        list(ask(running, model, ATTACK, stream=stream))
    # Its ContentPolicyViolationError, for which it tries other models, goes by other words than our `content_filter`.
    assert type(caught.value) is litellm.BadRequestError


@both
def test_a_wrong_key_is_an_authentication_error(running: Running, model: str) -> None:
    with pytest.raises(litellm.AuthenticationError):
        ask(running, model, ORDINARY, api_key="sk-ps-wrong")


@both
def test_one_question_too_many_is_a_rate_limit(running: Running, model: str) -> None:
    with suppress(litellm.RateLimitError):  # another test may have asked for this tenant before
        ask(running, model, ORDINARY, api_key=running.hasty_key)
    with pytest.raises(litellm.RateLimitError):
        ask(running, model, ORDINARY, api_key=running.hasty_key)


def test_texts_are_embedded_and_attacks_are_not(running: Running) -> None:
    settings = {"api_base": running.url, "api_key": running.key, "max_retries": 0}
    assert litellm.embedding(OPENAI, [ORDINARY], **settings).data
    with pytest.raises(litellm.BadRequestError):
        litellm.embedding(OPENAI, [ATTACK], **settings)
