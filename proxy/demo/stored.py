"""The demo upstream's stored responses: shown again, streamed again, cancelled, deleted, with what was asked."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from proxy.codec import JsonObject
from proxy.demo.memory import DemoMemory, page_of, refused, told
from proxy.demo.responses import PATH, response_events, stream_events

_ONE = f"{PATH}/{{id}}"


def stored_routes(delay: float, memory: DemoMemory) -> list[web.RouteDef]:
    """Return the routes below one response. A stream pauses `delay` seconds before each event."""
    return [
        web.get(_ONE, partial(_show, delay=delay, memory=memory)),
        web.delete(_ONE, partial(_delete, memory=memory)),
        web.post(f"{_ONE}/cancel", partial(_cancel, memory=memory)),
        web.get(f"{_ONE}/input_items", partial(_list_input, memory=memory)),
    ]


async def _show(request: web.Request, *, delay: float, memory: DemoMemory) -> web.StreamResponse:
    kept = _kept(request, memory)
    if kept is None:
        return _missing()
    if request.query.get("stream") != "true":
        return told(kept["response"])
    after = request.query.get("starting_after", "")
    events = response_events(kept["response"], kept["pieces"])
    return await stream_events(request, events, delay, after=int(after) if after.isdecimal() else -1)


async def _delete(request: web.Request, *, memory: DemoMemory) -> web.Response:
    kept = _kept(request, memory)
    if kept is None:
        return _missing()
    memory.responses.drop(request.match_info["id"])
    return told({"id": request.match_info["id"], "object": "response", "deleted": True})


async def _cancel(request: web.Request, *, memory: DemoMemory) -> web.Response:
    kept = _kept(request, memory)
    if kept is None:
        return _missing()
    if not kept["response"]["background"]:
        return refused("Cannot cancel a synchronous response.", 400)
    kept["response"] |= {"status": "cancelled", "output": []}
    memory.responses.put(request.match_info["id"], kept)
    return told(kept["response"])


async def _list_input(request: web.Request, *, memory: DemoMemory) -> web.Response:
    kept = _kept(request, memory)
    return _missing() if kept is None else told(page_of(kept["input"], request.query))


def _kept(request: web.Request, memory: DemoMemory) -> JsonObject | None:
    return memory.responses.get(request.match_info["id"])


def _missing() -> web.Response:
    return refused("There is no response with this id.")
