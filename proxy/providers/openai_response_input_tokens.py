"""Counting a response's tokens beforehand: POST /v1/responses/input_tokens, with the body of a response."""

from __future__ import annotations

from typing import Final

from proxy.codec import Codec
from proxy.providers._responses_dialect import ResponsesDialect


class OpenAiResponseInputTokens(ResponsesDialect):
    name = "openai_response_input_tokens"
    path = "/v1/responses/input_tokens"
    needs_model = False


CODEC: Final[Codec] = OpenAiResponseInputTokens()
