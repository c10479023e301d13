"""A chat completions provider that needs no network: the upstream of a first run without any credential."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
import time
from collections.abc import Iterator

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from proxy.codec import JsonObject
from proxy.demo.answer import Answer, answer_to, usage
from proxy.demo.anthropic_messages import MOUNT as ANTHROPIC
from proxy.demo.anthropic_messages import anthropic_routes
from proxy.demo.batches import DemoBatches, DemoMessageBatches
from proxy.demo.conversations import conversation_routes
from proxy.demo.endpoints import DemoEndpoints
from proxy.demo.files import DemoFiles
from proxy.demo.gemini_contents import MOUNT as GEMINI
from proxy.demo.gemini_contents import gemini_routes
from proxy.demo.memory import DemoMemory
from proxy.demo.responses import responses_routes
from proxy.demo.stored import stored_routes
from proxy.settings import UpstreamSettings

MODELS = ("demo-small", "demo-large", "demo-tools")
LARGEST_BODY = 64 * 1024 * 1024
MOST_CHOICES = 128
CREATED = 1_767_225_600  # seconds since the epoch, of the demo models
DELAY = web.AppKey("delay", float)


class _BadRequestError(Exception):
    """A body that a provider would refuse; answered with 400."""

    def __init__(self, message: str, param: str | None = None) -> None:
        self.message, self.param = message, param
        super().__init__(message)


def demo_app(*, delay: float = 0.02) -> web.Application:
    """Build the upstream. It pauses `delay` seconds before each piece of an answer, as a model would."""
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[_errors])
    app[DELAY] = delay
    app.router.add_post("/v1/chat/completions", _chat)
    app.router.add_routes(DemoEndpoints(delay).routes())
    app.router.add_get("/v1/models", _list_models)
    app.router.add_get("/v1/models/{model:.+}", _show_model)
    app.router.add_routes(anthropic_routes(delay, MODELS))
    memory = DemoMemory()
    app.router.add_routes(
        [*responses_routes(delay, memory), *stored_routes(delay, memory), *conversation_routes(memory)]
    )
    files = DemoFiles(memory)
    app.router.add_routes([*files.routes(), *DemoBatches(files, memory).routes(), *DemoMessageBatches(memory).routes()])
    app.router.add_routes(gemini_routes(delay, MODELS))
    return app


def demo_upstreams(port: int) -> tuple[UpstreamSettings, ...]:
    """Return the demo upstream on a port, once for each dialect that it speaks."""
    here = f"http://127.0.0.1:{port}"
    return (
        UpstreamSettings(name="demo", base_url=f"{here}/v1"),
        UpstreamSettings(name="demo-anthropic", dialect="anthropic", base_url=f"{here}{ANTHROPIC}/v1"),
        UpstreamSettings(name="demo-gemini", dialect="gemini", base_url=f"{here}{GEMINI}/v1beta"),
    )


async def run_demo(listener: socket.socket) -> None:
    """Serve the demo upstream on an open socket until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    runner = web.AppRunner(demo_app(), handle_signals=False, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    await stopping.wait()
    await runner.cleanup()


async def _chat(request: web.Request) -> web.StreamResponse:
    body = _checked(await request.read())
    answer = answer_to(body)
    if body.get("stream"):
        return await _stream(request, body, answer)
    await asyncio.sleep(request.app[DELAY])
    return _json(_completion(body, answer))


async def _list_models(_: web.Request) -> web.Response:
    return _json({"object": "list", "data": [_model(name) for name in MODELS]})


async def _show_model(request: web.Request) -> web.Response:
    """Describe any model: the demo upstream serves every name."""
    return _json(_model(request.match_info["model"]))


def _model(name: str) -> JsonObject:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "demo"}


def _checked(raw: bytes) -> JsonObject:
    """Parse a chat request. Raises _BadRequestError in the words a provider would use."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise _BadRequestError("We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict):
        raise _BadRequestError("The JSON body of your request must be an object.")
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise _BadRequestError("You must provide a model parameter.", "model")
    _check_messages(body.get("messages"))
    if body.get("tools") is not None:
        _check_tools(body["tools"])
    for name, most in (("n", MOST_CHOICES), ("max_tokens", None), ("max_completion_tokens", None)):
        _check_count(name, body.get(name), most)
    if not isinstance(body.get("stream_options"), dict | None):
        raise _BadRequestError("Invalid type for 'stream_options': expected an object.", "stream_options")
    return body


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        raise _BadRequestError("Invalid 'messages': expected an array with at least one message.", "messages")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise _BadRequestError("Invalid message: expected an object with a role.", f"messages[{index}]")


def _check_tools(tools: object) -> None:
    if not isinstance(tools, list):
        raise _BadRequestError("Invalid type for 'tools': expected an array.", "tools")
    for index, tool in enumerate(tools):
        # Tools of other types have no function, and are never called here.
        function = tool.get("function", {"name": ""}) if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise _BadRequestError("Invalid tool: expected a function with a name.", f"tools[{index}]")


def _check_count(name: str, count: object, most: int | None) -> None:
    if count is None:
        return
    if not isinstance(count, int) or count < 1 or (most is not None and count > most):
        upper = "" if most is None else f" and at most {most}"
        raise _BadRequestError(f"Invalid '{name}': expected an integer of at least 1{upper}.", name)


def _completion(body: JsonObject, answer: Answer) -> JsonObject:
    choices = body.get("n") or 1
    return {
        **_envelope(body, "chat.completion"),
        "choices": [_choice(index, answer) for index in range(choices)],
        "usage": usage(body, answer, choices),
    }


def _choice(index: int, answer: Answer) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": answer.text, "refusal": None, "annotations": []}
    if answer.tool_call is not None:
        function = {"name": answer.tool_call.name, "arguments": answer.tool_call.arguments}
        message |= {"content": None, "tool_calls": [_tool_call(function)]}
    return {"index": index, "message": message, "logprobs": None, "finish_reason": answer.finish}


async def _stream(request: web.Request, body: JsonObject, answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache",
            "x-request-id": _id("req_"),
        }
    )
    await response.prepare(request)
    for chunk in _chunks(body, answer):
        await response.write(b"data: " + orjson.dumps(chunk) + b"\n\n")
        await asyncio.sleep(request.app[DELAY])
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


def _chunks(body: JsonObject, answer: Answer) -> Iterator[JsonObject]:
    """Yield the stream's documents: role, pieces of all choices in turn, finish, and usage if it was asked for."""
    counted = bool((body.get("stream_options") or {}).get("include_usage"))
    envelope = _envelope(body, "chat.completion.chunk") | ({"usage": None} if counted else {})
    choices = body.get("n") or 1
    # One run of deltas per choice, because each choice's tool call has an id of its own.
    for step in zip(*(_deltas(answer) for _ in range(choices)), strict=True):
        for index, (delta, finish) in enumerate(step):
            choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
            yield envelope | {"choices": [choice]}
    if counted:
        yield envelope | {"choices": [], "usage": usage(body, answer, choices)}


def _deltas(answer: Answer) -> Iterator[tuple[JsonObject, str | None]]:
    """Yield one choice's deltas with their finish reason."""
    yield _opening(answer), None
    for piece in answer.pieces:
        if answer.tool_call is None:
            yield {"content": piece}, None
        else:
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}, None
    yield {}, answer.finish


def _opening(answer: Answer) -> JsonObject:
    if answer.tool_call is None:
        return {"role": "assistant", "content": "", "refusal": None}
    function = {"name": answer.tool_call.name, "arguments": ""}
    return {"role": "assistant", "content": None, "tool_calls": [{"index": 0, **_tool_call(function)}]}


def _tool_call(function: JsonObject) -> JsonObject:
    return {"id": _id("call_"), "type": "function", "function": function}


def _envelope(body: JsonObject, kind: str) -> JsonObject:
    return {
        "id": _id("chatcmpl-"),
        "object": kind,
        "created": int(time.time()),
        "model": body["model"],
        "service_tier": "default",
        "system_fingerprint": "fp_demo",
    }


def _id(prefix: str) -> str:
    return prefix + secrets.token_hex(12)


def _json(document: JsonObject, status: int = 200) -> web.Response:
    return web.Response(
        body=orjson.dumps(document),
        status=status,
        content_type="application/json",
        headers={"x-request-id": _id("req_")},
    )


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give every refusal the shape that SDKs of this API read."""
    try:
        return await handler(request)
    except _BadRequestError as refused:
        return _error(400, refused.message, refused.param)
    except web.HTTPMethodNotAllowed:
        return _error(405, f"Not allowed to {request.method} on {request.path}.")
    except web.HTTPNotFound:
        return _error(404, f"Invalid URL ({request.method} {request.path})")
    except web.HTTPException as refused:
        return _error(refused.status, refused.reason)


def _error(status: int, message: str, param: str | None = None) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": None}
    return _json({"error": error}, status)
