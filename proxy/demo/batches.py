"""The demo upstream's batches of both dialects: complete at once, each request answered as if it had come alone."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from aiohttp import ClientSession, TCPConnector, web

from proxy.codec import JsonObject
from proxy.demo.anthropic_messages import MOUNT
from proxy.demo.files import DemoFiles, read_object
from proxy.demo.memory import DemoMemory, told

_AT_ONCE: Final = 32
_PATH: Final = f"{MOUNT}/v1/messages/batches"


class DemoBatches:
    """Batches whose requests are lines of a file."""

    def __init__(self, files: DemoFiles, memory: DemoMemory) -> None:
        self._files, self._contents, self._batches = files, memory.files, memory.batches

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/batches", self._create),
            web.get("/v1/batches/{id}", self._show),
            web.post("/v1/batches/{id}/cancel", self._show),
        ]

    async def _create(self, request: web.Request) -> web.Response:
        asked = await read_object(request)
        content = self._contents.data(asked.get("input_file_id"))
        if content is None:
            raise web.HTTPBadRequest(reason="There is no such input file.")
        lines = _requests(content)
        said = await _ask(request, [(line["url"], line["body"]) for line in lines])
        results = [_result(line, *answer) for line, answer in zip(lines, said, strict=True)]
        output = self._files.add(
            b"".join(orjson.dumps(line) + b"\n" for line in results), "output.jsonl", "batch_output"
        )
        good = sum(status < 300 for status, _ in said)
        now = int(time.time())
        about = {key: asked.get(key) for key in ("endpoint", "input_file_id", "completion_window", "metadata")}
        batch: JsonObject = {"id": f"batch_{secrets.token_hex(12)}", "object": "batch", "status": "completed", **about}
        batch |= {"created_at": now, "completed_at": now, "output_file_id": output["id"], "error_file_id": None}
        batch["request_counts"] = {"total": len(lines), "completed": good, "failed": len(lines) - good}
        self._batches.put(batch["id"], batch)
        return told(batch)

    async def _show(self, request: web.Request) -> web.Response:
        return told(self._batches.named(request))


class DemoMessageBatches:
    """Batches of messages, below the mount of their dialect."""

    def __init__(self, memory: DemoMemory) -> None:
        self._batches = memory.message_batches

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post(_PATH, self._create),
            web.get(f"{_PATH}/{{id}}", self._show),
            web.post(f"{_PATH}/{{id}}/cancel", self._show),
            web.delete(f"{_PATH}/{{id}}", self._delete),
            web.get(f"{_PATH}/{{id}}/results", self._results),
        ]

    async def _create(self, request: web.Request) -> web.Response:
        requests = (await read_object(request)).get("requests") or []
        if not all(isinstance(asked, dict) and isinstance(asked.get("params"), dict) for asked in requests):
            raise web.HTTPBadRequest(reason="Every request of a batch needs its params.")
        said = await _ask(request, [(f"{MOUNT}/v1/messages", asked["params"]) for asked in requests])
        results = [_message_result(asked, *answer) for asked, answer in zip(requests, said, strict=True)]
        good = sum(status < 300 for status, _ in said)
        name, now = f"msgbatch_{secrets.token_hex(12)}", datetime.now(UTC)
        counts = {"processing": 0, "succeeded": good, "errored": len(said) - good, "canceled": 0, "expired": 0}
        batch: JsonObject = {
            "id": name,
            "type": "message_batch",
            "processing_status": "ended",
            "request_counts": counts,
        }
        batch |= {"created_at": now.isoformat(), "ended_at": now.isoformat(), "archived_at": None}
        batch |= {"expires_at": (now + timedelta(days=1)).isoformat(), "cancel_initiated_at": None}
        batch["results_url"] = f"{request.url.origin()}{_PATH}/{name}/results"
        self._batches.put(name, batch, b"".join(orjson.dumps(line) + b"\n" for line in results))
        return told(batch)

    async def _show(self, request: web.Request) -> web.Response:
        return told(self._batches.named(request))

    async def _delete(self, request: web.Request) -> web.Response:
        name = self._batches.named(request)["id"]
        self._batches.drop(name)
        return told({"id": name, "type": "message_batch_deleted"})

    async def _results(self, request: web.Request) -> web.Response:
        results = self._batches.data(self._batches.named(request)["id"])
        return web.Response(body=results, content_type="application/x-jsonl")


def _requests(content: bytes) -> list[JsonObject]:
    try:
        lines = [orjson.loads(line) for line in content.splitlines() if line.strip()]
    except orjson.JSONDecodeError:
        lines = [None]
    if not all(isinstance(line, dict) and str(line.get("url")).startswith("/") and "body" in line for line in lines):
        raise web.HTTPBadRequest(reason="Every line of a batch must be a request with its url and body.")
    return lines


async def _ask(request: web.Request, asked: Sequence[tuple[str, Any]]) -> list[tuple[int, JsonObject]]:
    """Send requests to this same upstream, and return status and document of each answer."""
    own = request.transport.get_extra_info("sockname")[1] if request.transport is not None else 0
    async with ClientSession(f"http://127.0.0.1:{own}", connector=TCPConnector(limit=_AT_ONCE)) as session:

        async def ask(path: str, body: Any) -> tuple[int, JsonObject]:
            async with session.post(path, data=orjson.dumps(body)) as answer:
                return answer.status, orjson.loads(await answer.read())

        return await asyncio.gather(*(ask(path, body) for path, body in asked))


def _result(line: JsonObject, status: int, body: JsonObject) -> JsonObject:
    name = {"id": f"batch_req_{secrets.token_hex(12)}", "custom_id": line.get("custom_id"), "error": None}
    return name | {"response": {"status_code": status, "request_id": f"req_{secrets.token_hex(12)}", "body": body}}


def _message_result(asked: JsonObject, status: int, body: JsonObject) -> JsonObject:
    good = {"type": "succeeded", "message": body}
    return {"custom_id": asked.get("custom_id"), "result": good if status < 300 else {"type": "errored", "error": body}}
