"""The demo upstream's conversations: made, shown, given other metadata, deleted, and their items likewise."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import orjson
from aiohttp import web

from proxy.codec import JsonObject
from proxy.demo.memory import DemoMemory, page_of, refused, stored_item, told

PATH: Final = "/v1/conversations"
_ONE: Final = f"{PATH}/{{id}}"
_ITEM: Final = f"{_ONE}/items/{{item}}"
Handler = Callable[[web.Request, JsonObject, JsonObject, DemoMemory], web.Response]


def conversation_routes(memory: DemoMemory) -> list[web.RouteDef]:
    """Return the routes. A handler is given the conversation as it is kept, and the request's body."""
    below = {"get": _show, "post": _update, "delete": _delete}
    items = {"get": _list_items, "post": _add_items}
    item = {"get": _show_item, "delete": _delete_item}
    return [web.post(PATH, partial(_make, memory=memory))] + [
        web.route(method.upper(), path, partial(_with_conversation, handler=handler, memory=memory))
        for path, handlers in ((_ONE, below), (f"{_ONE}/items", items), (_ITEM, item))
        for method, handler in handlers.items()
    ]


async def _make(request: web.Request, *, memory: DemoMemory) -> web.Response:
    body = _read(await request.read())
    items = body.get("items") or []
    if not _are_items(items):
        return refused("Invalid type for 'items': expected an array of objects.", 400, "items")
    name = f"conv_{secrets.token_hex(24)}"
    head = {"id": name, "object": "conversation", "created_at": int(time.time())}
    made = {**head, "metadata": body.get("metadata") or {}}
    memory.conversations.put(name, {"conversation": made, "items": [*map(stored_item, items)]})
    return told(made)


async def _with_conversation(request: web.Request, *, handler: Handler, memory: DemoMemory) -> web.Response:
    kept = memory.conversations.get(request.match_info["id"])
    if kept is None:
        return refused("There is no conversation with this id.")
    return handler(request, kept, _read(await request.read()), memory)


def _show(_request: web.Request, kept: JsonObject, _body: JsonObject, _memory: DemoMemory) -> web.Response:
    return told(kept["conversation"])


def _update(request: web.Request, kept: JsonObject, body: JsonObject, memory: DemoMemory) -> web.Response:
    kept["conversation"]["metadata"] = body.get("metadata") or {}
    memory.conversations.put(request.match_info["id"], kept)
    return told(kept["conversation"])


def _delete(request: web.Request, _kept: JsonObject, _body: JsonObject, memory: DemoMemory) -> web.Response:
    memory.conversations.drop(request.match_info["id"])
    return told({"id": request.match_info["id"], "object": "conversation.deleted", "deleted": True})


def _list_items(request: web.Request, kept: JsonObject, _body: JsonObject, _memory: DemoMemory) -> web.Response:
    return told(page_of(kept["items"], request.query))


def _add_items(request: web.Request, _kept: JsonObject, body: JsonObject, memory: DemoMemory) -> web.Response:
    if not body.get("items") or not _are_items(body["items"]):
        return refused("Invalid type for 'items': expected an array of objects.", 400, "items")
    added = [stored_item(item) for item in body["items"]]
    memory.add_items(request.match_info["id"], added)
    return told(page_of(added, {"order": "asc", "limit": str(len(added))}))


def _show_item(request: web.Request, kept: JsonObject, _body: JsonObject, _memory: DemoMemory) -> web.Response:
    item = next((item for item in kept["items"] if item["id"] == request.match_info["item"]), None)
    return refused("There is no item with this id.") if item is None else told(item)


def _delete_item(request: web.Request, kept: JsonObject, _body: JsonObject, memory: DemoMemory) -> web.Response:
    kept["items"] = [item for item in kept["items"] if item["id"] != request.match_info["item"]]
    memory.conversations.put(request.match_info["id"], kept)
    return told(kept["conversation"])


def _are_items(items: object) -> bool:
    return isinstance(items, list) and all(isinstance(item, dict) for item in items)


def _read(raw: bytes) -> JsonObject:
    """Return a request's body; none, and what is no object, is one without fields."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
