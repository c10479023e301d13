"""Conversations that OpenAI keeps, written to: made with items, given more, given other metadata.

Source: platform.openai.com/docs/api-reference/conversations.
"""

from __future__ import annotations

from typing import Final

from proxy.codec import Codec, JsonObject, Reference, Target
from proxy.edge import read_json
from proxy.providers._openai_stored import StoredDialect
from proxy.providers._responses_state import references_in
from proxy.providers._stored import Route

_ONE: Final = "/v1/conversations/{conversation_id}"


class OpenAiConversations(StoredDialect):
    """The ids of items are never taken for creations: a client may name its items, also like somebody else's."""

    name = "openai_conversations"
    routes = (
        Route("POST", "/v1/conversations", reads=True),
        Route("POST", _ONE, reads=True),
        Route("POST", f"{_ONE}/items", ("include",), reads=True),
    )

    def read_sent(self, target: Target, raw: bytes, content_type: str) -> JsonObject:
        return read_json(raw or b"{}")  # an empty conversation may be asked for with nothing at all

    def references(self, target: Target, body: JsonObject) -> tuple[Reference, ...]:
        return (*super().references(target, body), *references_in(body.get("items"), "/items"))

    def creations(self, answer: JsonObject) -> tuple[Reference, ...]:
        made = answer.get("id")
        if answer.get("object") != "conversation" or not isinstance(made, str):
            return ()
        return (Reference("conversation", made, "/id"),)


CODEC: Final[Codec] = OpenAiConversations()
