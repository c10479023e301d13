"""What the endpoints of the Responses API have in common: words, places, references, and how a block is answered."""

from __future__ import annotations

from typing import Any

from detectors.types import Direction, Origin, Place
from policies.types import BlockAs
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject, Reference, Refusal, StreamReader, Target
from proxy.providers._layouts import RESPONSE
from proxy.providers._openai_dialect import OpenAiDialect
from proxy.providers._openai_shapes import refusal_body
from proxy.providers._responses_bodies import walk_request, walk_response
from proxy.providers._responses_copies import mend_answer
from proxy.providers._responses_ending import blocked_response
from proxy.providers._responses_shapes import VOCABULARY, param_of
from proxy.providers._responses_state import creations_of, references_of
from proxy.providers._responses_stream import ResponsesStream


class ResponsesDialect(OpenAiDialect):
    """A codec of this API but for its name and its path."""

    vocabulary = VOCABULARY
    layout = RESPONSE
    path = ""

    def claims(self, method: str, path: str) -> bool:
        return method == "POST" and path == self.path

    def models(self, target: Target, body: JsonObject) -> tuple[str, ...]:
        """Return also the models that tools bring with them, wherever a tool is defined."""
        return tuple(dict.fromkeys((*super().models(target, body), *_tool_models(body.get("tools")))))

    def references(self, target: Target, body: JsonObject) -> tuple[Reference, ...]:
        return tuple(references_of(body))

    def creations(self, answer: JsonObject) -> tuple[Reference, ...]:
        return tuple(creations_of(answer))

    def segments(self, body: Any, direction: Direction) -> Walk:
        walk = Walk(direction, VOCABULARY)
        if not isinstance(body, dict):
            walk.visit(body, Origin.UNKNOWN, "")
        elif direction is Direction.REQUEST:
            walk_request(walk, body)
        else:
            walk_response(walk, body)
        return walk

    def stream(self, target: Target) -> StreamReader:
        return ResponsesStream()

    def param(self, pointer: str) -> str:
        return param_of(pointer)

    def refusal(self, refusal: Refusal) -> JsonObject:
        body = refusal_body(refusal)
        if body["error"]["param"] is not None:  # the same place, in this API's words
            body["error"]["param"] = param_of(_place(refusal))
        return body

    def blocked_answer(self, refusal: Refusal, block_as: BlockAs, answer: JsonObject) -> JsonObject:
        return blocked_response(refusal, block_as, answer)

    def without_copies(self, answer: JsonObject) -> None:
        mend_answer(answer)


def _tool_models(tools: object) -> list[str]:
    found: list[str] = []
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict):
            model = tool.get("model")
            found += [model] if isinstance(model, str) and model else []
            found += _tool_models(tool.get("tools"))
    return found


def _place(refusal: Refusal) -> str:
    verdict = refusal.verdict
    stops = (judged.finding.segment for judged in verdict.judged if judged.action is verdict.intended_action)
    return next(segment.pointer for segment in stops if segment.place is not Place.KEY)
