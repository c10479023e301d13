"""Batches of messages: requests inside of a request, and answers line by line, each read as it is when it comes alone.

Source: docs.anthropic.com/en/api/creating-message-batches, docs.anthropic.com/en/api/retrieving-message-batch-results.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from detectors.errors import EdgeError
from detectors.types import Direction, Origin, Unscanned
from proxy.bodies.pointer import escape
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject, Reference
from proxy.providers._anthropic_answer import creations_of, walk_answer
from proxy.providers._anthropic_request import reachable_models, references_of
from proxy.providers.anthropic_messages import CODEC as MESSAGES

_REQUESTS: Final = "requests"


def requests_in(body: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Yield every request of a batch with its place."""
    requests = body.get(_REQUESTS)
    for index, request in enumerate(requests if isinstance(requests, list) else ()):
        params = request.get("params") if isinstance(request, dict) else None
        if isinstance(params, dict):
            yield f"/{_REQUESTS}/{index}/params", params


def check_models(body: JsonObject) -> None:
    """Hold every request of a batch to naming a model. Raises EdgeError 400."""
    for pointer, params in requests_in(body):
        if not reachable_models(params):
            place = MESSAGES.param(pointer)
            raise EdgeError(400, "missing_required_parameter", "Every request must name a model.", f"{place}.model")


def references_in(body: JsonObject) -> Iterator[Reference]:
    """Yield what the requests of a batch lean on."""
    for pointer, params in requests_in(body):
        for found in references_of(params):
            yield Reference(found.kind, found.id, f"{pointer}{found.pointer}")


def walk_batch(walk: Walk, body: JsonObject) -> None:
    """Take in a whole batch."""
    for key, value in body.items():
        if key == _REQUESTS and isinstance(value, list):
            walk.skip("vocabulary")
            for index, request in enumerate(value):
                if walk.full:
                    walk.unread(Unscanned.OVERSIZE)
                else:
                    _walk_request(walk, request, f"/{_REQUESTS}/{index}")
        else:
            walk.child(key, value, Origin.UNKNOWN, "")


def walk_results(walk: Walk, lines: list[Any], pointer: str) -> None:
    """Take in the lines of a batch's results; what is no message is a text like any other."""
    for index, line in enumerate(lines):
        below = f"{pointer}/{index}"
        if walk.full:
            walk.unread(Unscanned.OVERSIZE)
            continue
        if not isinstance(line, dict) or not isinstance(line.get("result"), dict):
            walk.visit(line, Origin.ASSISTANT, below)
            continue
        for key, value in line.items():
            walk.child(key, None, Origin.ASSISTANT, below)
            if key == "result":
                _walk_result(walk, value, f"{below}/result")
            else:
                walk.visit(value, Origin.ASSISTANT, f"{below}/{escape(key)}")


def created_in(lines: object) -> Iterator[Reference]:
    """Yield what the messages among the lines say was made."""
    for line in lines if isinstance(lines, list) else ():
        result = line.get("result") if isinstance(line, dict) else None
        yield from creations_of(result.get("message") if isinstance(result, dict) else None)


def _walk_request(walk: Walk, request: object, pointer: str) -> None:
    if not isinstance(request, dict):
        walk.visit(request, Origin.UNKNOWN, pointer)
        return
    for key, value in request.items():
        if key == "params" and isinstance(value, dict):
            walk.skip("vocabulary")
            walk.graft(MESSAGES.segments(value, Direction.REQUEST), f"{pointer}/params")
        else:
            walk.child(key, value, Origin.METADATA if key == "custom_id" else Origin.UNKNOWN, pointer)


def _walk_result(walk: Walk, result: JsonObject, pointer: str) -> None:
    for key, value in result.items():
        if key == "message" and isinstance(value, dict):
            walk.skip("vocabulary")
            walk_answer(walk, value, f"{pointer}/message")
        else:
            walk.child(key, value, Origin.ASSISTANT, pointer)
