"""The demo upstream's files and uploads: a few of the newest, in memory, gone when it ends."""

from __future__ import annotations

import secrets
import time
from typing import Any

import orjson
from aiohttp import web

from proxy.codec import JsonObject
from proxy.demo.memory import DemoMemory, told


class DemoFiles:
    """Keeps what it is sent, whatever it is."""

    def __init__(self, memory: DemoMemory) -> None:
        self._files, self._uploads, self._parts = memory.files, memory.uploads, memory.parts

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
        self._files.put(shown["id"], shown, data)
        return shown

    async def _create(self, request: web.Request) -> web.Response:
        form = await request.post()
        return told(self.add(_sent(form, "file"), _filename(form, "file"), str(form.get("purpose"))))

    async def _show(self, request: web.Request) -> web.Response:
        return told(self._files.named(request))

    async def _delete(self, request: web.Request) -> web.Response:
        name = self._files.named(request)["id"]
        self._files.drop(name)
        return told({"id": name, "object": "file", "deleted": True})

    async def _content(self, request: web.Request) -> web.Response:
        data = self._files.data(self._files.named(request)["id"])
        return web.Response(body=data, content_type="application/octet-stream")

    async def _begin(self, request: web.Request) -> web.Response:
        asked = await read_object(request)
        about = {key: asked.get(key) for key in ("filename", "purpose", "bytes")}
        later = int(time.time()) + 3600
        shown = {**_head("upload_", "upload"), **about, "expires_at": later, "status": "pending"}
        self._uploads.put(shown["id"], shown)
        return told(shown)

    async def _add(self, request: web.Request) -> web.Response:
        part = {**_head("part_", "upload.part"), "upload_id": self._uploads.named(request)["id"]}
        self._parts.put(part["id"], part, _sent(await request.post(), "data"))
        return told(part)

    async def _complete(self, request: web.Request) -> web.Response:
        shown = self._uploads.named(request)
        listed = (await read_object(request)).get("part_ids") or []
        data = b"".join(self._parts.data(part) or b"" for part in listed)
        if len(data) != shown["bytes"]:
            raise web.HTTPBadRequest(reason="The parts do not have as many bytes as the upload was said to have.")
        file = self.add(data, str(shown["filename"]), str(shown["purpose"]))
        return self._become(shown | {"status": "completed", "file": file})

    async def _cancel(self, request: web.Request) -> web.Response:
        return self._become(self._uploads.named(request) | {"status": "cancelled"})

    def _become(self, shown: JsonObject) -> web.Response:
        self._uploads.put(shown["id"], shown)
        return told(shown)


async def read_object(request: web.Request) -> JsonObject:
    """Return a request's JSON object. Raises HTTPBadRequest."""
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(reason="The body of your request must be a JSON object.")
    return body


def _head(prefix: str, kind: str) -> JsonObject:
    return {"id": prefix + secrets.token_hex(12), "object": kind, "created_at": int(time.time())}


def _sent(form: Any, name: str) -> bytes:
    file = form.get(name)
    if not isinstance(file, web.FileField):
        raise web.HTTPBadRequest(reason="A file is required.")
    return file.file.read()


def _filename(form: Any, name: str) -> str:
    return str(form[name].filename)
