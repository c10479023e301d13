"""Operations as HTTP: one handler for all of them, JSON in and JSON out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import orjson
from aiohttp import web

from detectors.errors import AccessError, OperationError
from proxy.control.access.guard import principal_of
from proxy.control.catalogue import all_operations
from proxy.control.fields import escape_invisible
from proxy.control.openapi import PATH, openapi, written
from proxy.control.operations import JsonObject, Operation, perform, shown
from proxy.control.parts import ControlParts

API: Final = "/api/"
LARGEST: Final = 4 << 20  # bytes of a body
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def mount(app: web.Application, parts: ControlParts) -> None:
    """Serve every operation below `/api/v1`, and the document that describes them."""
    operations = all_operations()
    document = written(openapi(operations.values()))

    async def described(_request: web.Request) -> web.Response:
        return web.Response(body=document, content_type="application/json")

    app.middlewares.append(_in_the_api_s_shape)
    app.router.add_get(PATH, described)
    for operation in operations.values():
        app.router.add_route(operation.method, operation.path, partial(_answer, parts, operation))


async def _answer(parts: ControlParts, operation: Operation, request: web.Request) -> web.Response:
    principal = await principal_of(parts.access, request)
    names, query = dict(request.match_info), _query(request)
    body = await _body(request)
    answer = await perform(parts, principal, operation, names=names, query=query, body=body, strict=True)
    return _json(operation.status, shown(answer))


def _query(request: web.Request) -> dict[str, str]:
    """Return the query. Raises OperationError for a name that is given twice: one of them would silently win."""
    found: dict[str, str] = {}
    for name, value in request.query.items():
        if name in found:
            raise OperationError(422, "invalid_field", "is given twice", name[:200])
        found[name] = value
    return found


async def _body(request: web.Request) -> Any:
    """Return the parsed body, None where there is none. Raises OperationError 413, 415 or 422."""
    if not request.can_read_body:
        return None
    if (request.content_length or 0) > LARGEST:
        raise OperationError(413, "too_large", f"A body has at most {LARGEST} bytes.")
    raw = bytearray()
    async for chunk in request.content.iter_any():
        raw += chunk
        if len(raw) > LARGEST:
            raise OperationError(413, "too_large", f"A body has at most {LARGEST} bytes.")
    if not raw:
        return None
    # Forms of other sites cannot send this type, and what is taken for JSON must say that it is.
    if request.content_type != "application/json":
        raise OperationError(415, "not_json", "Send the body as application/json.")
    try:
        parsed = orjson.loads(raw)
        json.loads(raw, object_pairs_hook=_insist_on_one)
    except orjson.JSONDecodeError as exc:
        raise OperationError(422, "invalid_body", f"The body is not JSON: {exc.msg[:100]}", "body") from exc
    except RecursionError as exc:
        raise OperationError(422, "invalid_body", "The body is nested too deeply.", "body") from exc
    if not isinstance(parsed, dict):
        raise OperationError(422, "invalid_body", "The body must be a JSON object.", "body")
    return parsed


def _insist_on_one(pairs: list[tuple[str, Any]]) -> None:
    """Raises OperationError for a name that is given twice: one of them would silently win."""
    names = Counter(name for name, _ in pairs)
    twice = next((name for name, count in names.items() if count > 1), None)
    if twice is not None:
        raise OperationError(422, "invalid_field", "is given twice", twice[:200])


@web.middleware
async def _in_the_api_s_shape(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    if not request.path.startswith(API):
        return await handler(request)
    try:
        if "\0" in request.path:
            raise web.HTTPNotFound
        return await handler(request)
    except OperationError as exc:
        return _refusal(exc.status, error_document(exc))
    except AccessError as exc:
        response = _refusal(exc.status, {"code": exc.code, "message": exc.message})
        if exc.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        if exc.retry_after is not None:
            response.headers["Retry-After"] = str(max(1, round(exc.retry_after)))
        return response
    except web.HTTPMethodNotAllowed as exc:
        response = _refusal(405, {"code": "method_not_allowed", "message": "Not by this method."})
        response.headers["Allow"] = ", ".join(sorted(exc.allowed_methods))
        return response
    except web.HTTPException as exc:
        return _refusal(exc.status, {"code": "unknown_path", "message": "There is nothing at this path."})


def error_document(exc: OperationError) -> JsonObject:
    """Return what a refusal says: `code`, `message`, and where it is about one `field` or problems of a document."""
    document: JsonObject = {"code": exc.code, "message": exc.message}
    if exc.field is not None:
        document["field"] = exc.field
    if exc.problems:
        document["problems"] = [{"line": p.line, "column": p.column, "text": p.text} for p in exc.problems]
    return document


def _refusal(status: int, document: JsonObject) -> web.Response:
    return _json(status, escape_invisible(orjson.dumps({"error": document})))


def _json(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json", headers=_HEADERS)
