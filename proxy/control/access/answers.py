"""What the routes of access read and answer: JSON within bounds, and every refusal in one shape."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from detectors.complaints import in_plain_words
from detectors.errors import AccessError, OperationError, StorageError, UnavailableError
from proxy.control.access.parts import Access

JsonObject = dict[str, Any]
Model = TypeVar("Model", bound=BaseModel)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answering = Callable[[Access, web.Request], Awaitable[web.StreamResponse]]
_MOST: Final = 16 << 10  # bytes of a body


async def sent(request: web.Request, model: type[Model]) -> Model:
    """Read a JSON body. Raises OperationError 413, 415 and 422, which never quotes a value."""
    if request.content_type != "application/json":
        raise OperationError(415, "json_needed", "Send 'Content-Type: application/json'.")
    if (request.content_length or 0) > _MOST or len(body := await request.read()) > _MOST:
        raise OperationError(413, "too_large", f"The body is larger than {_MOST} bytes.")
    try:
        return model.model_validate(orjson.loads(body or b"{}"))
    except orjson.JSONDecodeError as exc:
        raise OperationError(422, "invalid_json", "The body is no JSON.") from exc
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(step) for step in first["loc"])[:200]
        raise OperationError(422, "invalid_field", in_plain_words(first), field or "body") from exc


def answer(content: JsonObject, status: int = 200) -> web.Response:
    """Not a WholeAnswer: cookies may be set on it."""
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")


def nothing() -> web.Response:
    return web.Response(status=204)


def routed(access: Access, run: Answering) -> Handler:
    """Return a handler that answers refusals as JSON."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await run(access, request)
        except (AccessError, OperationError, StorageError) as exc:
            return refusal(exc)

    return handle


def refusal(exc: AccessError | OperationError | StorageError) -> web.Response:
    """Return a refusal in the shape of the API."""
    if isinstance(exc, StorageError):
        unavailable = isinstance(exc, UnavailableError)
        said = "The database cannot be asked at the moment." if unavailable else str(exc)
        exc = OperationError(503 if unavailable else 409, "unavailable" if unavailable else "refused", said)
    error: JsonObject = {"code": exc.code, "message": exc.message}
    if isinstance(exc, OperationError) and exc.field:
        error["field"] = exc.field
    response = answer({"error": error}, exc.status)
    if exc.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="promptshield"'
    if isinstance(exc, AccessError) and exc.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(exc.retry_after))
    return response
