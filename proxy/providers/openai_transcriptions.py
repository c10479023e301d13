"""OpenAI transcriptions: POST /v1/audio/transcriptions, a form (platform.openai.com/docs/api-reference/audio)."""

from __future__ import annotations

from typing import Final

from proxy.codec import Codec
from proxy.providers._openai_transcript import OpenAiTranscript


class OpenAiTranscriptions(OpenAiTranscript):
    name = "openai_transcriptions"
    path = "/v1/audio/transcriptions"


CODEC: Final[Codec] = OpenAiTranscriptions()
