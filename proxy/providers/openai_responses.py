"""OpenAI's Responses API: POST /v1/responses (platform.openai.com/docs/api-reference/responses)."""

from __future__ import annotations

from typing import Final

from proxy.codec import Codec
from proxy.providers._responses_dialect import ResponsesDialect


class OpenAiResponses(ResponsesDialect):
    name = "openai_responses"
    path = "/v1/responses"


CODEC: Final[Codec] = OpenAiResponses()
