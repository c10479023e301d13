"""The demo upstream's answers in Anthropic's dialect: the same words as in OpenAI's, in messages and content blocks."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import orjson
from aiohttp import web

from proxy.codec import JsonObject
from proxy.demo.answer import Answer, answer_to, text_of, usage

MOUNT: Final = "/anthropic"  # beside the other dialects' paths, whose model list has the same one
CREATED: Final = "2026-01-01T00:00:00Z"
_STOPS: Final = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


def anthropic_routes(delay: float, models: Sequence[str]) -> list[web.RouteDef]:
    """Return the routes below MOUNT. They pause `delay` seconds before each piece of an answer."""
    return [
        web.post(f"{MOUNT}/v1/messages", partial(_messages, delay=delay)),
        web.post(f"{MOUNT}/v1/messages/count_tokens", _count_tokens),
        web.get(f"{MOUNT}/v1/models", partial(_list_models, models=models)),
    ]


async def _messages(request: web.Request, *, delay: float) -> web.StreamResponse:
    body = _read(await request.read())
    if isinstance(body, str):
        return _error(body)
    answer = answer_to(_as_chat(body))
    if body.get("stream"):
        return await _stream(request, body, answer, delay)
    await asyncio.sleep(delay)
    content = [_block(answer) | ({"text": answer.text} if answer.tool_call is None else {"input": _input(answer)})]
    stop = {"stop_reason": _STOPS[answer.finish], "stop_sequence": None}
    return _json({**_head(body), "content": content, **stop, "usage": _usage(body, answer)})


async def _count_tokens(request: web.Request) -> web.Response:
    body = _read(await request.read())
    if isinstance(body, str):
        return _error(body)
    return _json({"input_tokens": _usage(body, Answer((), "stop"))["input_tokens"]})


async def _list_models(_: web.Request, *, models: Sequence[str]) -> web.Response:
    data = [{"type": "model", "id": name, "display_name": name.title(), "created_at": CREATED} for name in models]
    return _json({"data": data, "has_more": False, "first_id": models[0], "last_id": models[-1]})


def _read(raw: bytes) -> JsonObject | str:
    """Return a request's body, or what is wrong with it in the words a provider would use."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return "The request body is not valid JSON."
    if not isinstance(body, dict) or not isinstance(body.get("model"), str) or not body["model"]:
        return "model: Field required"
    messages, tools = body.get("messages"), body.get("tools") or []
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
        return "messages: at least one message is required"
    if not isinstance(tools, list) or not all(isinstance(t, dict) and isinstance(t.get("name"), str) for t in tools):
        return "tools: Input should be a list of tools with names"
    return body


def _as_chat(body: JsonObject) -> JsonObject:
    """Return a messages request as the chat request that `answer_to` reads."""
    functions = [
        {"function": {"name": tool["name"], "parameters": tool["input_schema"]}}
        for tool in body.get("tools") or ()
        if isinstance(tool.get("input_schema"), dict)  # the provider's own tools have none, and are never called here
    ]
    choice = body.get("tool_choice")
    wanted = choice if isinstance(choice, dict) else {}
    named = {"function": {"name": wanted.get("name")}} if wanted.get("type") == "tool" else wanted.get("type")
    limit = body.get("max_tokens")
    return {
        "model": body["model"],
        "messages": [*_system(body.get("system")), *map(_as_chat_message, body["messages"])],
        "tools": functions,
        "tool_choice": named,
        "max_tokens": limit if isinstance(limit, int) and limit > 0 else None,
    }


def _system(system: object) -> list[JsonObject]:
    return [{"role": "system", "content": system}] if isinstance(system, str | list) else []


def _as_chat_message(message: JsonObject) -> JsonObject:
    """Return one message; a tool's result makes the whole of it the tool's."""
    content = message.get("content")
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    results = [text_of(block.get("content")) for block in blocks if block.get("type") == "tool_result"]
    return {"role": "tool", "content": "\n".join(results)} if results else {**message, "content": content}


async def _stream(request: web.Request, body: JsonObject, answer: Answer, delay: float) -> web.StreamResponse:
    headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
    response = web.StreamResponse(headers={**headers, "request-id": _id("req_")})
    await response.prepare(request)
    for event in _events(body, answer):
        await response.write(f"event: {event['type']}\n".encode() + b"data: " + orjson.dumps(event) + b"\n\n")
        await asyncio.sleep(delay)
    await response.write_eof()
    return response


def _events(body: JsonObject, answer: Answer) -> Iterator[JsonObject]:
    """Yield the stream's events: the empty message, one block in pieces, why it stopped."""
    counts = _usage(body, answer)
    begun = {**_head(body), "content": [], "stop_reason": None, "stop_sequence": None}
    yield {"type": "message_start", "message": {**begun, "usage": {**counts, "output_tokens": 1}}}
    yield {"type": "content_block_start", "index": 0, "content_block": _block(answer)}
    yield {"type": "ping"}
    kind, field = ("text_delta", "text") if answer.tool_call is None else ("input_json_delta", "partial_json")
    for piece in answer.pieces:
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": kind, field: piece}}
    yield {"type": "content_block_stop", "index": 0}
    stop = {"stop_reason": _STOPS[answer.finish], "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": counts["output_tokens"]}}
    yield {"type": "message_stop"}


def _block(answer: Answer) -> JsonObject:
    if answer.tool_call is None:
        return {"type": "text", "text": ""}
    return {"type": "tool_use", "id": _id("toolu_"), "name": answer.tool_call.name, "input": {}}


def _input(answer: Answer) -> object:
    return orjson.loads(answer.text)


def _head(body: JsonObject) -> JsonObject:
    return {"id": _id("msg_"), "type": "message", "role": "assistant", "model": body["model"]}


def _usage(body: JsonObject, answer: Answer) -> JsonObject:
    counted = usage(_as_chat(body), answer, 1)
    return {"input_tokens": counted["prompt_tokens"], "output_tokens": counted["completion_tokens"]}


def _id(prefix: str) -> str:
    return prefix + secrets.token_hex(12)


def _error(message: str) -> web.Response:
    return _json({"type": "error", "error": {"type": "invalid_request_error", "message": message}}, 400)


def _json(document: JsonObject, status: int = 200) -> web.Response:
    headers = {"content-type": "application/json", "request-id": _id("req_")}
    return web.Response(body=orjson.dumps(document), status=status, headers=headers)
