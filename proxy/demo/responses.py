"""The demo upstream's answers in the Responses API: the same words as in chat, in items and typed events."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import orjson
from aiohttp import web

from proxy.codec import JsonObject
from proxy.demo.answer import Answer, answer_to, usage
from proxy.demo.memory import DemoMemory, refused, stored_item, told

PATH: Final = "/v1/responses"
_RESULTS: Final = frozenset({"function_call_output", "custom_tool_call_output"})
_ECHOED: Final = ("instructions", "metadata", "previous_response_id", "temperature", "top_p", "text", "user")


def responses_routes(delay: float, memory: DemoMemory) -> list[web.RouteDef]:
    """Return the routes. They pause `delay` seconds before each piece of an answer, and keep what `store` allows."""
    return [
        web.post(PATH, partial(_respond, delay=delay, memory=memory)),
        web.post(f"{PATH}/input_tokens", _count),
        web.post(f"{PATH}/compact", _compact),
    ]


async def _respond(request: web.Request, *, delay: float, memory: DemoMemory) -> web.StreamResponse:
    body = _read(await request.read())
    if isinstance(body, str):
        return refused(body, 400)
    answer = answer_to(_as_chat(body))
    finished = _finished(_opened(body), body, answer, _filled(_item(answer), answer))
    if not _keep(memory, body, finished, answer):
        return refused("There is no conversation with this id.")
    if body.get("stream"):
        return await stream_events(request, response_events(finished, answer.pieces), delay)
    await asyncio.sleep(delay)
    return told({**_begun(finished), "status": "queued"} if finished["background"] else finished)


def _keep(memory: DemoMemory, body: JsonObject, finished: JsonObject, answer: Answer) -> bool:
    """Keep a response, and what was said in its conversation; tell whether there is that conversation."""
    asked = [stored_item(item) for item in _items(body)]
    conversation = finished["conversation"]
    if conversation is not None and not memory.add_items(str(conversation["id"]), [*asked, *finished["output"]]):
        return False
    if finished["store"]:
        memory.responses.put(finished["id"], {"response": finished, "input": asked, "pieces": answer.pieces})
    return True


async def _count(request: web.Request) -> web.Response:
    body = _read(await request.read())
    if isinstance(body, str):
        return refused(body, 400)
    return told({"object": "response.input_tokens", "input_tokens": _usage(body, Answer((), "stop"))["input_tokens"]})


async def _compact(request: web.Request) -> web.Response:
    """Answer with what the user wrote and something sealed, as a provider would; there is nothing in the seal."""
    body = _read(await request.read())
    if isinstance(body, str):
        return refused(body, 400)
    sealed = {"id": _id("cmp_"), "type": "compaction", "encrypted_content": f"demo_{secrets.token_hex(32)}"}
    said = [item for item in _items(body) if item.get("role") == "user"]
    head = {"id": _id("resp_"), "object": "response.compaction", "created_at": int(time.time())}
    return told({**head, "output": [*said, sealed], "usage": _usage(body, Answer(("",), "stop"))})


def _read(raw: bytes) -> JsonObject | str:
    """Return a request's body, or what is wrong with it in the words a provider would use."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return "We could not parse the JSON body of your request."
    if not isinstance(body, dict) or not isinstance(body.get("model"), str) or not body["model"]:
        return "Missing required parameter: 'model'."
    given, tools = body.get("input"), body.get("tools") or []
    if not isinstance(given, str) and not (isinstance(given, list) and all(isinstance(item, dict) for item in given)):
        return "Invalid type for 'input': expected a string or an array of input items."
    if not given:
        return "Missing required parameter: 'input'."
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        return "Invalid type for 'tools': expected an array of objects."
    return body


def _items(body: JsonObject) -> list[JsonObject]:
    given: list[JsonObject] | str = body["input"]
    return [{"role": "user", "content": given}] if isinstance(given, str) else given


def _as_chat(body: JsonObject) -> JsonObject:
    """Return a request as the chat request that `answer_to` reads."""
    functions = [
        {"function": {"name": tool["name"], "parameters": tool.get("parameters")}}
        for tool in body.get("tools") or ()
        if tool.get("type") == "function" and isinstance(tool.get("name"), str)  # the provider's own are never called
    ]
    choice, limit = body.get("tool_choice"), body.get("max_output_tokens")
    system = [{"role": "system", "content": body["instructions"]}] if body.get("instructions") else []
    return {
        "model": body["model"],
        "messages": [*system, *map(_as_message, _items(body))],
        "tools": functions,
        "tool_choice": {"function": choice} if isinstance(choice, dict) else choice,
        "max_tokens": limit if isinstance(limit, int) and limit > 0 else None,
    }


def _as_message(item: JsonObject) -> JsonObject:
    if item.get("type") in _RESULTS:
        return {"role": "tool", "content": item.get("output")}
    return {"role": item.get("role", "assistant"), "content": item.get("content")}


async def stream_events(
    request: web.Request, events: Iterable[JsonObject], delay: float, after: int = -1
) -> web.StreamResponse:
    """Send events, pausing `delay` seconds behind each; those up to the number `after` are left out."""
    headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
    response = web.StreamResponse(headers={**headers, "x-request-id": _id("req_")})
    await response.prepare(request)
    for number, event in enumerate(events):
        if number > after:
            data = orjson.dumps({**event, "sequence_number": number})
            await response.write(f"event: {event['type']}\n".encode() + b"data: " + data + b"\n\n")
            await asyncio.sleep(delay)
    await response.write_eof()
    return response


def response_events(finished: JsonObject, pieces: Sequence[str]) -> Iterator[JsonObject]:
    """Yield a stream's events: the response is opened, its one item comes in pieces, then whole, then all of it."""
    opened = _begun(finished)
    yield {"type": "response.created", "response": opened}
    yield {"type": "response.in_progress", "response": opened}
    for done in finished["output"]:  # one, or none of a response that was cancelled
        talks = done["type"] == "message"
        item = {**done, "status": "in_progress", **({"content": []} if talks else {"arguments": ""})}
        yield {"type": "response.output_item.added", "output_index": 0, "item": item}
        place = {"item_id": item["id"], "output_index": 0}
        yield from _text_events(place, pieces) if talks else _call_events(place, item["name"], pieces)
        yield {"type": "response.output_item.done", "output_index": 0, "item": done}
    kind = "completed" if finished["status"] == "completed" else "incomplete"
    yield {"type": f"response.{kind}", "response": finished}


def _text_events(place: JsonObject, pieces: Sequence[str]) -> Iterator[JsonObject]:
    part, text = {**place, "content_index": 0}, "".join(pieces)
    yield {"type": "response.content_part.added", **part, "part": _part("")}
    for piece in pieces:
        yield {"type": "response.output_text.delta", **part, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **part, "text": text, "logprobs": []}
    yield {"type": "response.content_part.done", **part, "part": _part(text)}


def _call_events(place: JsonObject, name: str, pieces: Sequence[str]) -> Iterator[JsonObject]:
    for piece in pieces:
        yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
    yield {"type": "response.function_call_arguments.done", **place, "name": name, "arguments": "".join(pieces)}


def _item(answer: Answer) -> JsonObject:
    """Return the one item of an answer as it is before anything is said."""
    if answer.tool_call is None:
        return {"id": _id("msg_"), "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    call = {"call_id": _id("call_"), "name": answer.tool_call.name, "arguments": ""}
    return {"id": _id("fc_"), "type": "function_call", "status": "in_progress", **call}


def _filled(item: JsonObject, answer: Answer) -> JsonObject:
    said: JsonObject = {"content": [_part(answer.text)]} if answer.tool_call is None else {"arguments": answer.text}
    return {**item, "status": "incomplete" if answer.finish == "length" else "completed", **said}


def _part(text: str) -> JsonObject:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _opened(body: JsonObject) -> JsonObject:
    echoed: dict[str, Any] = {name: body.get(name) for name in _ECHOED}
    conversation = body.get("conversation")
    named = {"id": conversation} if isinstance(conversation, str) else conversation
    return {
        "id": _id("resp_"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "background": body.get("background") is True,
        "conversation": {"id": named.get("id")} if isinstance(named, dict) else None,
        "error": None,
        "incomplete_details": None,
        "model": body["model"],
        "output": [],
        "parallel_tool_calls": True,
        "store": body.get("store") is not False,
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "usage": None,
        **echoed,
    }


def _begun(finished: JsonObject) -> JsonObject:
    """Return a response as it was before anything was said."""
    return {**finished, "status": "in_progress", "incomplete_details": None, "output": [], "usage": None}


def _finished(opened: JsonObject, body: JsonObject, answer: Answer, item: JsonObject) -> JsonObject:
    cut = answer.finish == "length"
    return {
        **opened,
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": [item],
        "usage": _usage(body, answer),
    }


def _usage(body: JsonObject, answer: Answer) -> JsonObject:
    counted = usage(_as_chat(body), answer, 1)
    return {
        "input_tokens": counted["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": counted["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": counted["total_tokens"],
    }


def _id(prefix: str) -> str:
    return prefix + secrets.token_hex(24)
