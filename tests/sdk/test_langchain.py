"""LangChain's ChatOpenAI through the firewall: nothing but base URL and key is ours."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import openai
import pytest
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from tests.sdk.conftest import Running
from tests.sdk.texts import ATTACK, MASKED, ORDINARY, PERSONAL


def chat(running: Running, **more: Any) -> ChatOpenAI:
    return ChatOpenAI(**{"model": "demo-small", "base_url": running.url, "api_key": running.key, **more})


def streamed(client: ChatOpenAI, text: str) -> str:
    return "".join(str(chunk.content) for chunk in client.stream(text))


def test_an_ordinary_question_is_answered(running: Running) -> None:
    answer = chat(running).invoke(ORDINARY)
    assert ORDINARY in answer.content
    assert answer.usage_metadata["input_tokens"] > 0


def test_an_answer_is_streamed(running: Running) -> None:
    assert ORDINARY in streamed(chat(running), ORDINARY)


def test_personal_data_does_not_reach_the_upstream(running: Running) -> None:
    assert MASKED in chat(running).invoke(PERSONAL).content
    assert MASKED in streamed(chat(running), PERSONAL)


@pytest.mark.parametrize("ask", [ChatOpenAI.invoke, streamed])
def test_a_block_is_a_bad_request_that_says_why(running: Running, ask: Any) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(chat(running), ATTACK)
    assert (caught.value.status_code, caught.value.code) == (400, "content_filter")
    assert caught.value.param == "messages[0].content"


def test_the_responses_api_is_the_same(running: Running) -> None:
    client = chat(running, use_responses_api=True)
    assert MASKED in client.invoke(PERSONAL).text
    with pytest.raises(openai.BadRequestError):
        client.invoke(ATTACK)


def test_a_tool_is_called_and_its_result_is_read(running: Running) -> None:
    tool = {
        "name": "look_up",
        "description": "Look a word up",
        "parameters": {"properties": {"word": {"type": "string"}}},
    }
    asked = chat(running).bind_tools([{"type": "function", "function": tool}]).invoke(ORDINARY)
    (call,) = asked.tool_calls
    assert call["name"] == "look_up"
    result = {"role": "tool", "tool_call_id": call["id"], "content": ATTACK}
    with pytest.raises(openai.BadRequestError):
        chat(running).invoke([("user", ORDINARY), asked, result])


def test_texts_are_embedded_and_attacks_are_not(running: Running) -> None:
    # Token ids would need a tokenizer's tables from the network.
    embeddings = OpenAIEmbeddings(
        model="demo-small", base_url=running.url, api_key=running.key, check_embedding_ctx_length=False
    )
    assert len(embeddings.embed_query(ORDINARY)) > 0
    with pytest.raises(openai.BadRequestError):
        embeddings.embed_query(ATTACK)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"api_key": "sk-ps-wrong"}, openai.AuthenticationError),
        ({"model": "gpt-9"}, openai.PermissionDeniedError),
    ],
)
def test_a_refusal_has_the_class_of_its_status(running: Running, more: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        chat(running, **more).invoke(ORDINARY)


def test_one_question_too_many_is_a_rate_limit(running: Running) -> None:
    client = chat(running, api_key=running.hasty_key, max_retries=0)
    with suppress(openai.RateLimitError):  # another test may have asked for this tenant before
        client.invoke(ORDINARY)
    with pytest.raises(openai.RateLimitError) as caught:
        client.invoke(ORDINARY)
    assert int(caught.value.response.headers["retry-after"]) > 0
