"""What the demo upstream keeps of what it made: in memory, bounded, gone with it; and pages of a list, as asked for."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from aiohttp import web

from proxy.codec import JsonObject

MOST: Final = 1_000
LARGEST: Final = 16 << 20  # bytes of all that is kept on one shelf
LARGEST_FILES: Final = 64 << 20
_PAGE, _LONGEST_PAGE = 20, 100


class Shelf:
    """Documents by id, with bytes that belong to them. What was put or changed longest ago makes room; what is larger
    than the shelf is not kept.
    """

    def __init__(self, most: int = MOST, largest: int = LARGEST) -> None:
        self._most, self._largest, self._size = most, largest, 0
        self._kept: OrderedDict[str, tuple[bytes, bytes]] = OrderedDict()

    def put(self, name: str, document: JsonObject, data: bytes = b"") -> None:
        self.drop(name)
        self._kept[name] = orjson.dumps(document), data
        self._size += sum(map(len, self._kept[name]))
        while self._size > self._largest or len(self._kept) > self._most:
            self.drop(next(iter(self._kept)))

    def get(self, name: str) -> JsonObject | None:
        """Return a copy of a document, None if it is not here."""
        kept = self._kept.get(name)
        document: JsonObject | None = None if kept is None else orjson.loads(kept[0])
        return document

    def named(self, request: web.Request) -> JsonObject:
        """Return a copy of the document whose `id` stands in a path. Raises HTTPNotFound."""
        document = self.get(request.match_info["id"])
        if document is None:
            raise web.HTTPNotFound
        return document

    def data(self, name: object) -> bytes | None:
        """Return the bytes that belong to a document, None if it is not here."""
        kept = self._kept.get(name) if isinstance(name, str) else None
        return None if kept is None else kept[1]

    def drop(self, name: str) -> None:
        self._size -= sum(map(len, self._kept.pop(name, (b"", b""))))


class DemoMemory:
    """Responses as `{response, input, pieces}`, conversations as `{conversation, items}`, files, parts of uploads and
    batches of messages as the API shows them, with what is in them; uploads and batches as the API shows them.
    """

    def __init__(self) -> None:
        self.responses, self.conversations = Shelf(), Shelf()
        self.files, self.parts = Shelf(largest=LARGEST_FILES), Shelf(largest=LARGEST_FILES)
        self.uploads, self.batches, self.message_batches = Shelf(), Shelf(), Shelf(largest=LARGEST_FILES)

    def add_items(self, conversation: str, items: Sequence[JsonObject]) -> bool:
        """Add items to a conversation; tell whether there is one."""
        kept = self.conversations.get(conversation)
        if kept is None:
            return False
        self.conversations.put(conversation, {**kept, "items": [*kept["items"], *items]})
        return True


def stored_item(item: JsonObject) -> JsonObject:
    """Return an item as a provider keeps it: with an id, and a message's text in a part."""
    kept: JsonObject = {"type": "message", "status": "completed", **item}
    kept["id"] = item.get("id") or f"msg_{secrets.token_hex(24)}"
    if isinstance(item.get("content"), str):
        said: dict[str, Any] = {"type": "input_text", "text": item["content"]}
        if item.get("role") == "assistant":
            said |= {"type": "output_text", "annotations": []}
        kept["content"] = [said]
    return kept


def page_of(items: Sequence[JsonObject], query: Mapping[str, str]) -> JsonObject:
    """Return one page of items, the newest first unless `order` says otherwise."""
    ordered = list(items) if query.get("order") == "asc" else list(reversed(items))
    names = [item["id"] for item in ordered]
    start = names.index(query["after"]) + 1 if query.get("after") in names else 0
    limit = query.get("limit", "")
    shown = ordered[start : start + (min(int(limit), _LONGEST_PAGE) if limit.isdecimal() else _PAGE)]
    ends = {"first_id": shown[0]["id"], "last_id": shown[-1]["id"]} if shown else {"first_id": None, "last_id": None}
    return {"object": "list", "data": shown, **ends, "has_more": start + len(shown) < len(ordered)}


def refused(message: str, status: int = 404, param: str | None = None) -> web.Response:
    """Return an error in this API's shape."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": None}
    return told({"error": error}, status)


def told(document: JsonObject, status: int = 200) -> web.Response:
    """Return a document as an answer."""
    headers = {"content-type": "application/json", "x-request-id": f"req_{secrets.token_hex(12)}"}
    return web.Response(body=orjson.dumps(document), status=status, headers=headers)
