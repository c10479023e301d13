"""OpenAI embeddings: POST /v1/embeddings (platform.openai.com/docs/api-reference/embeddings)."""

from __future__ import annotations

import re
from typing import Final

from detectors.types import Origin, Unscanned
from proxy.bodies.json_document import NumberToken
from proxy.bodies.walk import LONG_INTEGER, Walk
from proxy.codec import Codec, JsonObject
from proxy.providers._openai_endpoint import OpenAiEndpoint
from proxy.providers._openai_media import is_binary
from proxy.providers._openai_request import FIELDS
from proxy.providers._openai_shapes import is_fact

# A component as written out: a long integer, which may be somebody's number, is none.
_COMPONENT: Final = re.compile(r"-?[0-9]{1,6}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?")


class OpenAiEmbeddings(OpenAiEndpoint):
    """Reads what is embedded; the vectors themselves say nothing that could be read, and are skipped by rule."""

    name = "openai_embeddings"
    path = "/v1/embeddings"
    origins = {**FIELDS, "input": Origin.USER}  # noqa: RUF012 - a mapping nobody writes to
    token_ids = Unscanned.EMBEDDING_TOKEN_IDS  # what is only embedded gives no model an order

    def walk_field(self, walk: Walk, key: str, value: object) -> None:
        if key != "data" or not isinstance(value, list):
            super().walk_field(walk, key, value)
            return
        for index, entry in enumerate(value):
            if isinstance(entry, dict):
                _walk_entry(walk, entry, f"/data/{index}")
            else:
                walk.visit(entry, Origin.ASSISTANT, f"/data/{index}")


def _walk_entry(walk: Walk, entry: JsonObject, pointer: str) -> None:
    for key, value in entry.items():
        if key == "embedding" and _is_vector(value):
            walk.skip("vectors", 2)
        elif key in {"object", "index"} and is_fact(value):
            walk.skip("answer_facts", 2)
        else:
            walk.child(key, value, Origin.ASSISTANT, pointer)


def _is_vector(value: object) -> bool:
    if isinstance(value, str):  # 32-bit floats in base64
        return len(value) % 4 == 0 and is_binary(value)
    return isinstance(value, list) and bool(value) and all(map(_is_component, value))


def _is_component(number: object) -> bool:
    if isinstance(number, NumberToken):
        return _COMPONENT.fullmatch(number.text) is not None
    return isinstance(number, int | float) and abs(number) < LONG_INTEGER


CODEC: Final[Codec] = OpenAiEmbeddings()
