"""OpenAI image generation: POST /v1/images/generations (platform.openai.com/docs/api-reference/images)."""

from __future__ import annotations

from typing import Final

from proxy.codec import Codec
from proxy.providers._openai_endpoint import OpenAiEndpoint


class OpenAiImages(OpenAiEndpoint):
    """Reads the prompt, and of the answer what the prompt was revised to and where the image lies."""

    name = "openai_images"
    path = "/v1/images/generations"
    media = frozenset({"b64_json"})


CODEC: Final[Codec] = OpenAiImages()
