"""OpenAI speech: POST /v1/audio/speech (platform.openai.com/docs/api-reference/audio/createSpeech)."""

from __future__ import annotations

from typing import Final

from detectors.types import Origin
from proxy.codec import Codec
from proxy.providers._openai_endpoint import OpenAiEndpoint
from proxy.providers._openai_media_answer import MediaAnswers
from proxy.providers._openai_request import FIELDS


class OpenAiSpeech(MediaAnswers, OpenAiEndpoint):
    """Reads what is to be spoken. The answer is sound, in which nobody here can look for words."""

    name = "openai_speech"
    path = "/v1/audio/speech"
    origins = {**FIELDS, "input": Origin.USER, "instructions": Origin.SYSTEM}  # noqa: RUF012 - nobody writes to it
    media = frozenset({"audio"})


CODEC: Final[Codec] = OpenAiSpeech()
