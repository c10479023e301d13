"""Portkey's webhook guardrail (portkey.ai/docs/integrations/guardrails/bring-your-own-guardrails)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from detectors.errors import EdgeError
from detectors.types import Direction
from proxy.codec import Codec, JsonObject, Target
from proxy.hook import Asked, Hook, Reply
from proxy.hooks._contract import Contract, model_of, object_of, plain_walk, walk_texts

# What `requestType` says, and the path at which our codecs know such a body.
_PATHS: Final = {
    "chatComplete": "/v1/chat/completions",
    "complete": "/v1/completions",
    "embed": "/v1/embeddings",
    "messages": "/v1/messages",
    "createModelResponse": "/v1/responses",
}
_BEFORE: Final = "beforeRequestHook"
_AFTER: Final = "afterRequestHook"


class Portkey(Contract):
    """Portkey lets pass what it has no verdict on, whatever status we answer: what goes wrong is told as a verdict."""

    name = "portkey"
    paths = ("/webhook",)

    def read(self, path: str, call: JsonObject, codecs: Sequence[Codec]) -> Asked:
        event = call.get("eventType")
        if event not in {_BEFORE, _AFTER}:
            raise EdgeError(400, "invalid_request", f"'eventType' must be '{_BEFORE}' or '{_AFTER}'.", "eventType")
        direction, side = (Direction.REQUEST, "request") if event == _BEFORE else (Direction.RESPONSE, "response")
        carried = object_of(call, side)
        body = carried.get("json")
        if isinstance(body, dict) and body:
            codec = _codec(codecs, call.get("requestType"))
            return Asked(body, codec.segments(body, direction), ("/",), model=_model(call, body))
        if body:  # `text` is made of what Portkey knows in `json`, so it may well be empty
            raise EdgeError(400, "invalid_request", f"'{side}.json' must be an object.", f"{side}.json")
        text = carried.get("text")
        if not isinstance(text, str):
            raise EdgeError(400, "invalid_request", f"'{side}' has neither 'json' nor 'text'.", side)
        document = {"text": text}
        return Asked(document, walk_texts(plain_walk(direction), [("/text", text)]))

    def answer(self, reply: Reply) -> JsonObject:
        answer: JsonObject = {"verdict": not reply.stops, "data": {"decision_id": reply.decision_id}}
        if reply.reason:
            answer["data"] |= {"reason": reply.reason, "categories": reply.told()}
        if reply.edited and not reply.stops:
            side = "request" if reply.asked.walk.direction is Direction.REQUEST else "response"
            answer["transformedData"] = {side: {"json": reply.document}}
        return answer

    def error(self, status: int, code: str, message: str, param: str | None = None) -> JsonObject:
        return {"verdict": False, "data": {"reason": message, "code": code, "status": status}}

    def status(self, status: int) -> int:
        return 200


def _model(call: JsonObject, body: JsonObject) -> str:
    """Return the model that the request asks for; an answer may name a version of it."""
    request = call.get("request")
    return model_of(request.get("json") if isinstance(request, dict) else None) or model_of(body)


def _codec(codecs: Sequence[Codec], kind: Any) -> Codec:
    path = _PATHS.get(kind if isinstance(kind, str) else "", _PATHS["chatComplete"])
    target = Target("POST", path)
    return next(codec for codec in codecs if codec.claims(target.method, target.path))


HOOK: Hook = Portkey()
