"""OpenAI moderations: POST /v1/moderations (platform.openai.com/docs/api-reference/moderations)."""

from __future__ import annotations

from typing import Final

from detectors.types import Origin
from proxy.bodies.json_document import NumberToken
from proxy.bodies.pointer import escape
from proxy.bodies.walk import Walk
from proxy.codec import Codec, JsonObject
from proxy.providers._openai_endpoint import OpenAiEndpoint
from proxy.providers._openai_request import FIELDS

_INPUT_KINDS: Final = ("text", "image")


class OpenAiModerations(OpenAiEndpoint):
    """Reads what is to be moderated like any other text: it goes to the same provider."""

    name = "openai_moderations"
    path = "/v1/moderations"
    origins = {**FIELDS, "input": Origin.USER}  # noqa: RUF012 - a mapping nobody writes to
    needs_model = False

    def walk_field(self, walk: Walk, key: str, value: object) -> None:
        if key != "results" or not isinstance(value, list):
            super().walk_field(walk, key, value)
            return
        for index, result in enumerate(value):
            if isinstance(result, dict):
                _walk_result(walk, result, f"/results/{index}")
            else:
                walk.visit(result, Origin.ASSISTANT, f"/results/{index}")


def _walk_result(walk: Walk, result: JsonObject, pointer: str) -> None:
    for key, value in result.items():
        walk.child(key, None, Origin.ASSISTANT, pointer)
        if not isinstance(value, dict):
            walk.visit(value, Origin.ASSISTANT, f"{pointer}/{escape(key)}")
            continue
        for category, told in value.items():
            walk.child(category, None, Origin.ASSISTANT, f"{pointer}/{escape(key)}")
            if not _skips(walk, told):
                walk.visit(told, Origin.ASSISTANT, f"{pointer}/{escape(key)}/{escape(category)}")


def _skips(walk: Walk, told: object) -> bool:
    """Skip a score between 0 and 1, and the kinds of input that a category was applied to."""
    if isinstance(told, NumberToken) and len(told.text) <= 32 and 0 <= float(told.text) <= 1:
        walk.skip("scores")
        return True
    if isinstance(told, list) and told and all(kind in _INPUT_KINDS for kind in told):
        walk.skip("answer_facts", len(told))
        return True
    return False


CODEC: Final[Codec] = OpenAiModerations()
