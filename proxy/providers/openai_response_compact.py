"""Making a conversation shorter: POST /v1/responses/compact, which answers with items, the last one encrypted."""

from __future__ import annotations

from typing import Final

from proxy.codec import Codec
from proxy.providers._responses_dialect import ResponsesDialect


class OpenAiResponseCompact(ResponsesDialect):
    name = "openai_response_compact"
    path = "/v1/responses/compact"


CODEC: Final[Codec] = OpenAiResponseCompact()
