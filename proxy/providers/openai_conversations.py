"""Conversations that OpenAI keeps, written to: made with items, given more, given other metadata.

Source: platform.openai.com/docs/api-reference/conversations.
"""

from __future__ import annotations

from typing import Final

from detectors.errors import EdgeError
from proxy.codec import Codec, JsonObject, Reference, Target
from proxy.edge import read_json
from proxy.json_document import dump
from proxy.providers._openai_stored import Route, StoredDialect
from proxy.providers._responses_state import references_in
from proxy.responses import JSON

_ID: Final = "conversation_id"
_ONE: Final = f"/v1/conversations/{{{_ID}}}"


class OpenAiConversations(StoredDialect):
    """The ids of items are never taken for creations: a client may name its items, also like somebody else's."""

    name = "openai_conversations"
    named = (_ID,)
    routes = (
        Route("POST", "/v1/conversations"),
        Route("POST", _ONE),
        Route("POST", f"{_ONE}/items", ("include",)),
    )

    def read_body(self, target: Target, raw: bytes, content_type: str) -> JsonObject:
        ids = super().read_body(target, b"", content_type)
        body = read_json(raw or b"{}")  # an empty conversation may be asked for with nothing at all
        if _ID in body:
            raise EdgeError(400, "unknown_parameter", "The id of a conversation stands in the path.", _ID)
        return body | ids

    def write_body(self, document: JsonObject) -> tuple[bytes, str]:
        return dump({key: value for key, value in document.items() if key != _ID}), JSON

    def references(self, target: Target, body: JsonObject) -> tuple[Reference, ...]:
        return (*super().references(target, body), *references_in(body.get("items"), "/items"))

    def creations(self, answer: JsonObject) -> tuple[Reference, ...]:
        made = answer.get("id")
        if answer.get("object") != "conversation" or not isinstance(made, str):
            return ()
        return (Reference("conversation", made, "/id"),)


CODEC: Final[Codec] = OpenAiConversations()
