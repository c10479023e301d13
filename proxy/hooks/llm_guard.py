"""LLM Guard's API server: `/analyze/prompt` and `/analyze/output`, `/scan/...` (its openapi.json, 0.0.10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from detectors.types import Direction, Origin
from proxy.codec import Codec, JsonObject
from proxy.hook import Asked, Hook, Reply
from proxy.hooks._contract import Contract, plain_walk, text_of, walk_texts

_PROMPT: Final = "prompt"
_OUTPUT: Final = "output"


class LlmGuard(Contract):
    """`scanners` are our categories, with the highest confidence of each; the output's prompt is not judged again."""

    name = "llm-guard"
    paths = ("/analyze/prompt", "/analyze/output", "/scan/prompt", "/scan/output")

    def read(self, path: str, call: JsonObject, codecs: Sequence[Codec]) -> Asked:
        _, verb, key = path.split("/")
        document = {key: text_of(call, key)}
        direction = Direction.REQUEST if key == _PROMPT else Direction.RESPONSE
        origin = Origin.USER if key == _PROMPT else Origin.ASSISTANT
        walk = walk_texts(plain_walk(direction), [(f"/{key}", document[key])], origin)
        return Asked(document, walk, (f"/{key}",) if verb == "analyze" else ())

    def answer(self, reply: Reply) -> JsonObject:
        answer: JsonObject = {"is_valid": not reply.stops, "scanners": reply.told()}
        key = _PROMPT if _PROMPT in reply.document else _OUTPUT
        if reply.asked.editable:
            # Of a text that was stopped nothing is said again: what was to be masked in it still stands there.
            answer[f"sanitized_{key}"] = "" if reply.stops else reply.document[key]
        return answer

    def error(self, status: int, code: str, message: str, param: str | None = None) -> JsonObject:
        if status not in {400, 422}:
            return {"detail": message}
        return {"detail": [{"loc": ["body", *([param] if param else [])], "msg": message, "type": code}]}

    def status(self, status: int) -> int:
        return 422 if status == 400 else status


HOOK: Hook = LlmGuard()
