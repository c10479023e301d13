"""The demo upstream's answers in Gemini's dialect: the same words as in OpenAI's, in contents and parts."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

import orjson
from aiohttp import web

from proxy.codec import JsonObject
from proxy.demo.answer import Answer, answer_to, usage
from proxy.providers._gemini_shapes import error_body, member

MOUNT: Final = "/gemini"
DIMENSIONS: Final = 8  # of a vector, unless the request says otherwise
_MOST_DIMENSIONS: Final = 3072
_FINISHES: Final = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP"}
_TOKENS: Final = {"prompt_tokens": "promptTokenCount", "completion_tokens": "candidatesTokenCount",
                  "total_tokens": "totalTokenCount"}  # fmt: skip


def gemini_routes(delay: float, models: Sequence[str]) -> list[web.RouteDef]:
    """Return the routes below MOUNT. They pause `delay` seconds before each piece of an answer."""
    path = f"{MOUNT}/v1beta/models"
    return [
        web.post(f"{path}/{{model}}:generateContent", partial(_generate, delay=delay)),
        web.post(f"{path}/{{model}}:streamGenerateContent", partial(_stream, delay=delay)),
        web.post(f"{path}/{{model}}:countTokens", _count_tokens),
        web.post(f"{path}/{{model}}:embedContent", _embed),
        web.post(f"{path}/{{model}}:batchEmbedContents", _embed_batch),
        web.get(path, partial(_list_models, models=models)),
    ]


async def _generate(request: web.Request, *, delay: float) -> web.Response:
    chat = await _read_chat(request)
    if chat is None:
        return _refused("contents is not specified")
    answer = answer_to(chat)
    await asyncio.sleep(delay)
    return _json(_document(chat, answer, [_part(answer)], last=True))


async def _stream(request: web.Request, *, delay: float) -> web.StreamResponse:
    """Stream as events with `alt=sse`, else as one array, as the API does."""
    chat = await _read_chat(request)
    if chat is None:
        return _refused("contents is not specified")
    events = request.query.get("alt") == "sse"
    kind = "text/event-stream" if events else "application/json; charset=UTF-8"
    response = web.StreamResponse(headers={"content-type": kind})
    await response.prepare(request)
    for number, document in enumerate(_documents(chat, answer_to(chat))):
        raw = orjson.dumps(document)
        await response.write(b"data: " + raw + b"\r\n\r\n" if events else (b",\r\n" if number else b"[") + raw)
        await asyncio.sleep(delay)
    await response.write(b"" if events else b"]")
    await response.write_eof()
    return response


async def _count_tokens(request: web.Request) -> web.Response:
    body = _parsed(await request.read())
    chat = _as_chat(request, member(body, "generateContentRequest") or body)
    if chat is None:
        return _refused("contents is not specified")
    return _json({"totalTokens": usage(chat, Answer((), "stop"), 1)["prompt_tokens"]})


async def _embed(request: web.Request) -> web.Response:
    body = _parsed(await request.read())
    return _json({"embedding": _vector(body)}) if body.get("content") else _refused("content is not specified")


async def _embed_batch(request: web.Request) -> web.Response:
    requests = _parsed(await request.read()).get("requests")
    if not isinstance(requests, list) or not all(isinstance(item, dict) for item in requests):
        return _refused("requests is not specified")
    return _json({"embeddings": [_vector(item) for item in requests]})


async def _list_models(_: web.Request, *, models: Sequence[str]) -> web.Response:
    methods = ["generateContent", "countTokens", "embedContent"]
    entries = [
        {"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": methods} for name in models
    ]
    return _json({"models": entries})


async def _read_chat(request: web.Request) -> JsonObject | None:
    return _as_chat(request, _parsed(await request.read()))


def _parsed(raw: bytes) -> JsonObject:
    """Return a request's body; what is no object is as good as an empty one."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _as_chat(request: web.Request, body: Any) -> JsonObject | None:
    """Return a request as the chat request that `answer_to` reads, None where it has no contents."""
    contents = member(body, "contents")
    messages = [_as_message(content) for content in _objects(contents)]
    if not messages:
        return None
    declared = [
        function
        for tool in _objects(member(body, "tools"))
        for function in _objects(member(tool, "functionDeclarations"))
        if isinstance(function.get("name"), str)
    ]
    limit = member(member(body, "generationConfig"), "maxOutputTokens")
    return {
        "model": request.match_info["model"],
        "messages": messages,
        "tools": [{"function": {"name": f["name"], "parameters": _as_schema(f)}} for f in declared],
        "max_tokens": limit if isinstance(limit, int) and limit > 0 else None,
    }


def _as_message(content: JsonObject) -> JsonObject:
    parts = _objects(content.get("parts"))
    responses = [member(member(part, "functionResponse"), "response") for part in parts]
    results = [orjson.dumps(response).decode() for response in responses if response is not None]
    if results:
        return {"role": "tool", "content": "\n".join(results)}
    return {"role": "assistant" if content.get("role") == "model" else "user", "content": parts}


def _as_schema(function: JsonObject) -> Any:
    """Return a function's parameters in the words of JSON Schema, which has its types in small letters."""
    schema = member(function, "parametersJsonSchema")
    return _lowered(member(function, "parameters")) if schema is None else schema


def _lowered(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: value.lower() if key == "type" and isinstance(value, str) else _lowered(value)
                for key, value in schema.items()}  # fmt: skip
    return [_lowered(item) for item in schema] if isinstance(schema, list) else schema


def _documents(chat: JsonObject, answer: Answer) -> Iterator[JsonObject]:
    """Yield the stream's documents: text piece by piece, a function call in one."""
    pieces = answer.pieces if answer.tool_call is None else ()
    for piece in pieces[:-1]:
        yield _document(chat, answer, [{"text": piece}], last=False)
    last = [{"text": pieces[-1]}] if pieces else [_part(answer)]
    yield _document(chat, answer, last, last=True)


def _document(chat: JsonObject, answer: Answer, parts: list[JsonObject], *, last: bool) -> JsonObject:
    candidate = {"content": {"parts": parts, "role": "model"}, "index": 0}
    counted = usage(chat, answer, 1)
    return {
        "candidates": [candidate | ({"finishReason": _FINISHES[answer.finish]} if last else {})],
        "usageMetadata": {name: counted[key] for key, name in _TOKENS.items()},
        "modelVersion": chat["model"],
    }


def _part(answer: Answer) -> JsonObject:
    if answer.tool_call is None:
        return {"text": answer.text}
    return {"functionCall": {"name": answer.tool_call.name, "args": orjson.loads(answer.tool_call.arguments)}}


def _vector(request: JsonObject) -> JsonObject:
    """Return a vector that depends on the text alone; it means nothing."""
    wanted = member(request, "outputDimensionality")
    size = min(wanted, _MOST_DIMENSIONS) if isinstance(wanted, int) and wanted > 0 else DIMENSIONS
    raw = hashlib.shake_256(orjson.dumps(request.get("content"))).digest(size)
    return {"values": [byte / 128 - 1 for byte in raw]}


def _objects(value: Any) -> list[JsonObject]:
    listed = value if isinstance(value, list) else [value]
    return [item for item in listed if isinstance(item, dict)]


def _refused(message: str) -> web.Response:
    return _json(error_body(400, "invalid_argument", message), 400)


def _json(document: JsonObject, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")
