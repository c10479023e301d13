"""A conversation and its items by their ids, without a body: GET and DELETE (api-reference/conversations)."""

from __future__ import annotations

from typing import Final

from proxy.codec import Codec
from proxy.providers._openai_stored import LISTING, StoredDialect
from proxy.providers._stored import Route

_ONE: Final = "/v1/conversations/{conversation_id}"
_ITEM: Final = f"{_ONE}/items/{{item_id}}"


class OpenAiConversationById(StoredDialect):
    name = "openai_conversation_by_id"
    routes = (
        Route("GET", _ONE),
        Route("DELETE", _ONE),
        Route("GET", f"{_ONE}/items", LISTING),
        Route("GET", _ITEM, ("include",)),
        Route("DELETE", _ITEM),
    )


CODEC: Final[Codec] = OpenAiConversationById()
