"""One policy means the same on every dialect: the same questions and answers through all of them, in one table."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from aiohttp import web

from tests.harness import Product, Recorder, Script
from tests.planted.surface import ATTACK, CREDENTIAL, PERSON

pytestmark = pytest.mark.e2e

POLICY = """
extends: preset/standard
disclose: full
rules:
  - {id: personal-data, when: {category: pii}, action: mask}
  - {id: keys, when: {category: credential}, action: mask}
"""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a question is asked, and an answer given, in one API. `asked` and `said` find the text again."""

    name: str
    path: str
    question: Callable[[str], Any]
    asked: Callable[[Any], str]
    answer: Callable[[str], Any]
    said: Callable[[Any], str]


def _responses(text: str) -> Any:
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "m",
        "output": [message],
    }


DIALECTS = [
    Dialect(
        "openai chat",
        "/v1/chat/completions",
        lambda text: {"model": "m", "messages": [{"role": "user", "content": text}]},
        lambda body: str(body["messages"][0]["content"]),
        lambda text: {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]},
        lambda body: str(body["choices"][0]["message"]["content"]),
    ),
    Dialect(
        "openai responses",
        "/v1/responses",
        lambda text: {"model": "m", "input": text, "store": False},
        lambda body: str(body["input"]),
        _responses,
        lambda body: str(body["output"][0]["content"][0]["text"]),
    ),
    Dialect(
        "openai completions",
        "/v1/completions",
        lambda text: {"model": "m", "prompt": text},
        lambda body: str(body["prompt"]),
        lambda text: {"id": "c", "object": "text_completion", "created": 1, "model": "m", "choices": [
            {"index": 0, "text": text, "logprobs": None, "finish_reason": "stop"}]},
        lambda body: str(body["choices"][0]["text"]),
    ),
    Dialect(
        "azure chat",
        "/openai/deployments/m/chat/completions?api-version=2025-01-01",
        lambda text: {"messages": [{"role": "user", "content": text}]},
        lambda body: str(body["messages"][0]["content"]),
        lambda text: {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]},
        lambda body: str(body["choices"][0]["message"]["content"]),
    ),
    Dialect(
        "anthropic",
        "/v1/messages",
        lambda text: {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": text}]},
        lambda body: str(body["messages"][0]["content"]),
        lambda text: {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
                      "content": [{"type": "text", "text": text}], "usage": {"input_tokens": 1, "output_tokens": 1}},
        lambda body: str(body["content"][0]["text"]),
    ),
    Dialect(
        "gemini",
        "/v1beta/models/m:generateContent",
        lambda text: {"contents": [{"role": "user", "parts": [{"text": text}]}]},
        lambda body: str(body["contents"][0]["parts"][0]["text"]),
        lambda text: {"candidates": [
            {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}]},
        lambda body: str(body["candidates"][0]["content"]["parts"][0]["text"]),
    ),
]  # fmt: skip
every_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
Ask = Callable[[Dialect, str], tuple[int, Any, http.client.HTTPMessage]]


@pytest.fixture(scope="module")
def upstream(any_upstream: Recorder) -> Recorder:
    return any_upstream


@pytest.fixture(scope="module")
def product(any_dialect: Product) -> Product:
    any_dialect.policy(POLICY)
    return any_dialect


@pytest.fixture
def ask(product: Product, upstream: Recorder) -> Iterator[Ask]:
    """Ask in a dialect; return status, body and headers of the answer."""
    parts = urlsplit(product.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    headers = {"x-promptshield-key": product.key, "Content-Type": "application/json"}
    upstream.received.clear()

    def ask_one(dialect: Dialect, text: str) -> tuple[int, Any, http.client.HTTPMessage]:
        connection.request("POST", dialect.path, orjson.dumps(dialect.question(text)), headers)
        answer = connection.getresponse()
        return answer.status, orjson.loads(answer.read()), answer.headers

    yield ask_one
    upstream.scripts = {}
    connection.close()


def answering(upstream: Recorder, dialect: Dialect, text: str) -> None:
    async def script(_request: web.Request, _body: bytes) -> web.StreamResponse:
        return web.json_response(dialect.answer(text))

    upstream.scripts = _Always(script)


class _Always(dict[str, Script]):
    """The same script whatever is asked, because a Gemini body names no model."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script

    def get(self, _key: str, _default: object = None) -> Script:
        return self._script


@every_dialect
def test_an_ordinary_question_and_its_answer_pass_word_for_word(dialect: Dialect, ask: Ask, upstream: Recorder) -> None:
    answering(upstream, dialect, "Paris is the capital of France.")
    status, body, headers = ask(dialect, "What is the capital of France?")
    assert (status, dialect.said(body)) == (200, "Paris is the capital of France.")
    assert dialect.asked(upstream.received[0].json()) == "What is the capital of France?"
    assert headers["x-promptshield-action"] == "allow"


@every_dialect
def test_an_attack_is_blocked_once_and_goes_nowhere(dialect: Dialect, ask: Ask, upstream: Recorder) -> None:
    status, body, headers = ask(dialect, ATTACK)
    told = orjson.dumps(body).decode()
    assert (status, headers["x-promptshield-action"]) == (400, "block")
    assert "Request blocked by policy (prompt_injection" in told
    assert headers["x-promptshield-decision-id"] in told
    assert ATTACK not in told
    assert upstream.received == []


@every_dialect
def test_personal_data_and_keys_are_masked_on_the_way_out(dialect: Dialect, ask: Ask, upstream: Recorder) -> None:
    answering(upstream, dialect, "Done.")
    status, _, headers = ask(dialect, f"Write to {PERSON} with {CREDENTIAL} please.")
    sent = dialect.asked(upstream.received[0].json())
    assert (status, headers["x-promptshield-action"]) == (200, "mask")
    assert PERSON not in sent
    assert CREDENTIAL not in sent
    assert sent.startswith("Write to [EMAIL] with [")


@every_dialect
def test_they_are_masked_in_answers_too(dialect: Dialect, ask: Ask, upstream: Recorder) -> None:
    answering(upstream, dialect, f"Her address is {PERSON}.")
    status, body, _ = ask(dialect, "Where does she live on the net?")
    assert (status, dialect.said(body)) == (200, "Her address is [EMAIL].")


@every_dialect
def test_an_unknown_key_is_refused_in_the_words_of_the_dialect(dialect: Dialect, product: Product) -> None:
    connection = http.client.HTTPConnection(product.url.split("/")[2], timeout=20)
    connection.request(
        "POST", dialect.path, orjson.dumps(dialect.question("hi")), {"x-promptshield-key": "sk-ps-wrong"}
    )
    answer = connection.getresponse()
    error = orjson.loads(answer.read())["error"]
    connection.close()
    assert answer.status == 401
    assert "not valid here" in error["message"]
