"""OpenAI translations: POST /v1/audio/translations, a form (platform.openai.com/docs/api-reference/audio)."""

from __future__ import annotations

from typing import Final

from proxy.codec import Codec
from proxy.providers._openai_transcript import OpenAiTranscript


class OpenAiTranslations(OpenAiTranscript):
    name = "openai_translations"
    path = "/v1/audio/translations"


CODEC: Final[Codec] = OpenAiTranslations()
