"""Language models as judges, for tests: what they say, and the wires of OpenRouter and Gemini that carry it."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from tests.harness import Script

Model = Callable[[str, str], str]  # system and user message -> answer


def check_of(system: str) -> str:
    """Return the word that a genuine answer repeats."""
    found = re.search(r'"check": "([0-9a-f]+)"', system)
    assert found is not None
    return found[1]


def ruling(category: str = "prompt_injection", confidence: object = 0.95, reason: str = "gives orders") -> Model:
    """A judge that does as it is told."""

    def say(system: str, _user: str) -> str:
        document = {"check": check_of(system), "category": category, "confidence": confidence, "reason": reason}
        return orjson.dumps(document).decode()

    return say


def saying(text: str) -> Model:
    return lambda _system, _user: text


def openrouter(model: Model, cost: float | None = 0.000321, asked: list[dict[str, Any]] | None = None) -> Script:
    """Chat completions as OpenRouter answers them: blank lines first, which keep the connection, then the object."""

    async def script(request: web.Request, body: bytes) -> web.StreamResponse:
        document = orjson.loads(body)
        if asked is not None:
            asked.append({"headers": dict(request.headers), "body": document, "path": request.path})
        system, user = (message["content"] for message in document["messages"])
        usage: dict[str, Any] = {"prompt_tokens": 610, "completion_tokens": 40, "total_tokens": 650}
        if cost is not None:
            usage |= {"cost": cost, "is_byok": False}
        message = {"role": "assistant", "content": model(system, user), "refusal": None, "reasoning": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "native_finish_reason": "stop"}
        answer = {"id": "gen-1", "provider": "P", "model": document["model"], "object": "chat.completion"}
        answered = orjson.dumps({**answer, "created": 1_758_536_664, "choices": [choice], "usage": usage})
        return web.Response(body=b"\n         \n\n         \n" + answered, content_type="application/json")

    return script


def gemini(model: Model, asked: list[dict[str, Any]] | None = None) -> Script:
    """`generateContent` as the Gemini API answers it."""

    async def script(request: web.Request, body: bytes) -> web.StreamResponse:
        document = orjson.loads(body)
        if asked is not None:
            asked.append({"headers": dict(request.headers), "body": document, "path": request.path})
        system = document["systemInstruction"]["parts"][0]["text"]
        user = document["contents"][0]["parts"][0]["text"]
        content = {"role": "model", "parts": [{"text": model(system, user)}]}
        usage = {"promptTokenCount": 640, "candidatesTokenCount": 40, "totalTokenCount": 680}
        candidate = {"content": content, "finishReason": "STOP", "index": 0}
        return web.json_response({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini"})

    return script


def failing(status: int, **headers: str) -> Script:
    """An error with OpenRouter's body: the status as a number beside the message."""

    async def script(_request: web.Request, _body: bytes) -> web.StreamResponse:
        error = {"code": status, "message": "Provider returned error", "metadata": {"provider_name": "P"}}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response({"error": error, "user_id": "u"}, status=status, headers=named)

    return script


def error_within(code: int) -> Script:
    """Status 200, and the error in the body."""
    return fixed(orjson.dumps({"error": {"code": code, "message": "Upstream error"}}))


def error_in_choice(code: int) -> Script:
    """Status 200, a choice that broke off, as OpenRouter tells an error in the middle of an answer."""
    choice = {"index": 0, "message": {"role": "assistant", "content": '{"check'}, "finish_reason": "error"}
    return fixed(
        orjson.dumps({"id": "gen-1", "choices": [{**choice, "error": {"code": code, "message": "broke off"}}]})
    )


def fixed(body: bytes, kind: str = "application/json", status: int = 200, **headers: str) -> Script:
    async def script(_request: web.Request, _body: bytes) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=body, status=status, headers={"Content-Type": kind, **named})

    return script


def zipped(body: bytes) -> Script:
    return fixed(gzip.compress(body), Content_Encoding="gzip")


def slow(seconds: float, then: Script) -> Script:
    async def script(request: web.Request, body: bytes) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await then(request, body)

    return script


def broken_off() -> Script:
    """A body that ends in its middle."""

    async def script(request: web.Request, _body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "5000"})
        await response.prepare(request)
        await response.write(b'{"choices": [')
        assert request.transport is not None
        request.transport.abort()
        return response

    return script


def endless() -> Script:
    """A body of far more than a megabyte."""

    async def script(request: web.Request, _body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for _ in range(40):
            await response.write(b" " * 65536)
        return response

    return script
