"""The demo upstream's files and uploads: a few of the newest, in memory, gone when it ends."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiohttp import web

from proxy.codec import JsonObject

MOST_KEPT: Final = 64  # of each kind of object; the oldest goes


class Kept(OrderedDict[str, Any]):
    """Objects by id, the newest ones only."""

    def keep(self, name: str, value: Any) -> None:
        self[name] = value
        while len(self) > MOST_KEPT:
            self.popitem(last=False)

    def named(self, request: web.Request) -> Any:
        """Return the object that a path names. Raises HTTPNotFound."""
        name = request.match_info["id"]
        if name not in self:
            raise web.HTTPNotFound
        return self[name]


@dataclass(slots=True)
class _Upload:
    shown: JsonObject
    parts: dict[str, bytes] = field(default_factory=dict)


class DemoFiles:
    """Keeps what it is sent, whatever it is."""

    def __init__(self) -> None:
        self._files, self._uploads = Kept(), Kept()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/files", self._create),
            web.get("/v1/files/{id}", self._show),
            web.delete("/v1/files/{id}", self._delete),
            web.get("/v1/files/{id}/content", self._content),
            web.post("/v1/uploads", self._begin),
            web.post("/v1/uploads/{id}/parts", self._add),
            web.post("/v1/uploads/{id}/complete", self._complete),
            web.post("/v1/uploads/{id}/cancel", self._cancel),
        ]

    def add(self, data: bytes, filename: str, purpose: str) -> JsonObject:
        """Keep a file, and return it as the API shows it."""
        shown = {**_head("file-", "file"), "bytes": len(data), "filename": filename, "purpose": purpose}
        shown["status"] = "processed"
        self._files.keep(shown["id"], (shown, data))
        return shown

    def content_of(self, name: object) -> bytes | None:
        """Return what is in a file, None where there is none of that id."""
        return self._files[name][1] if isinstance(name, str) and name in self._files else None

    async def _create(self, request: web.Request) -> web.Response:
        form = await request.post()
        return json_response(self.add(_sent(form, "file"), _filename(form, "file"), str(form.get("purpose"))))

    async def _show(self, request: web.Request) -> web.Response:
        return json_response(self._files.named(request)[0])

    async def _delete(self, request: web.Request) -> web.Response:
        self._files.named(request)
        name = request.match_info["id"]
        del self._files[name]
        return json_response({"id": name, "object": "file", "deleted": True})

    async def _content(self, request: web.Request) -> web.Response:
        return web.Response(body=self._files.named(request)[1], content_type="application/octet-stream")

    async def _begin(self, request: web.Request) -> web.Response:
        asked = await read_object(request)
        about = {key: asked.get(key) for key in ("filename", "purpose", "bytes")}
        later = int(time.time()) + 3600
        upload = _Upload({**_head("upload_", "upload"), **about, "expires_at": later, "status": "pending"})
        self._uploads.keep(upload.shown["id"], upload)
        return json_response(upload.shown)

    async def _add(self, request: web.Request) -> web.Response:
        upload: _Upload = self._uploads.named(request)
        part = {**_head("part_", "upload.part"), "upload_id": upload.shown["id"]}
        upload.parts[part["id"]] = _sent(await request.post(), "data")
        return json_response(part)

    async def _complete(self, request: web.Request) -> web.Response:
        upload: _Upload = self._uploads.named(request)
        listed = (await read_object(request)).get("part_ids") or []
        data = b"".join(upload.parts.get(part, b"") for part in listed)
        if len(data) != upload.shown["bytes"]:
            raise web.HTTPBadRequest(reason="The parts do not have as many bytes as the upload was said to have.")
        file = self.add(data, str(upload.shown["filename"]), str(upload.shown["purpose"]))
        upload.shown |= {"status": "completed", "file": file}
        return json_response(upload.shown)

    async def _cancel(self, request: web.Request) -> web.Response:
        upload: _Upload = self._uploads.named(request)
        upload.shown["status"] = "cancelled"
        return json_response(upload.shown)


async def read_object(request: web.Request) -> JsonObject:
    """Return a request's JSON object. Raises HTTPBadRequest."""
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(reason="The body of your request must be a JSON object.")
    return body


def json_response(document: JsonObject) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json")


def _head(prefix: str, kind: str) -> JsonObject:
    return {"id": prefix + secrets.token_hex(12), "object": kind, "created_at": int(time.time())}


def _sent(form: Any, name: str) -> bytes:
    file = form.get(name)
    if not isinstance(file, web.FileField):
        raise web.HTTPBadRequest(reason="A file is required.")
    return file.file.read()


def _filename(form: Any, name: str) -> str:
    return str(form[name].filename)
