from __future__ import annotations

from typing import Any

import pytest

from proxy.demo.answer import answer_to, text_of, usage


def body(*contents: object, **more: object) -> dict[str, Any]:
    return {
        "model": "demo-small",
        "messages": [{"role": "user", "content": content} for content in contents],
        **more,
    }


def test_the_last_message_of_the_user_is_quoted() -> None:
    text = answer_to(body("first", "second")).text

    assert "“second”" in text
    assert "first" not in text


def test_a_long_message_is_quoted_in_part() -> None:
    assert f"“{'x' * 300}…”" in answer_to(body("x" * 5000)).text


@pytest.mark.parametrize("content", [None, "", [], [{"type": "image_url", "image_url": {"url": "data:,"}}], 3])
def test_a_message_without_text_is_answered_too(content: object) -> None:
    assert "have not written anything" in answer_to(body(content)).text


def test_text_parts_are_joined() -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "image_url"}, "odd", {"text": 4}, {"text": "two"}]

    assert text_of(parts) == "one\ntwo"


def test_the_pieces_are_words_and_make_up_the_text() -> None:
    answer = answer_to(body("  two\n\nlines  "))

    assert all(len(piece.split()) == 1 for piece in answer.pieces)
    assert "“  two\n\nlines  ”" in answer.text


@pytest.mark.parametrize("parameters", [None, {}, [], {"type": "string"}, {"type": "object"}])
def test_the_arguments_of_a_call_are_always_an_object(parameters: object) -> None:
    tools = [{"type": "function", "function": {"name": "run", "parameters": parameters}}]
    answer = answer_to(body("hi", tools=tools))

    assert answer.tool_call is not None
    assert answer.tool_call.arguments == answer.text == "{}"


@pytest.mark.parametrize("choice", ["auto", "required", {"type": "allowed_tools"}, {"function": "run"}, None])
def test_tools_without_a_function_are_never_called(choice: object) -> None:
    tools = [{"type": "custom", "custom": {"name": "sql"}}]

    assert answer_to(body("hi", tools=tools, tool_choice=choice)).finish == "stop"


def test_tools_count_as_prompt() -> None:
    tools = [{"type": "function", "function": {"name": "run", "description": "x" * 400}}]
    plain, with_tools = body("hi"), body("hi", tools=tools)

    more = usage(with_tools, answer_to(with_tools), 1)["prompt_tokens"]
    assert more > usage(plain, answer_to(plain), 1)["prompt_tokens"] + 100
