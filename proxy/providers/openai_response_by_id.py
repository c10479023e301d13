"""A stored response by its id: GET, DELETE, cancel, its input items (api-reference/responses)."""

from __future__ import annotations

from typing import Final

from proxy.codec import Codec
from proxy.providers._openai_stored import LISTING, StoredDialect
from proxy.providers._stored import Route

_ONE: Final = "/v1/responses/{response_id}"


class OpenAiResponseById(StoredDialect):
    """Nothing lists an account's responses: such a list would show every tenant's."""

    name = "openai_response_by_id"
    routes = (
        Route("GET", _ONE, ("include", "stream", "starting_after")),
        Route("DELETE", _ONE),
        Route("POST", f"{_ONE}/cancel"),
        Route("GET", f"{_ONE}/input_items", LISTING),
    )


CODEC: Final[Codec] = OpenAiResponseById()
