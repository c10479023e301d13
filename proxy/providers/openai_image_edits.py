"""OpenAI image edits: POST /v1/images/edits, a form or JSON (platform.openai.com/docs/api-reference/images)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from proxy.codec import Codec, JsonObject, Reference, Target
from proxy.providers._openai_form import OpenAiForm


class OpenAiImageEdits(OpenAiForm):
    """Reads the prompt and the names of the images; the images themselves are media."""

    name = "openai_image_edits"
    path = "/v1/images/edits"
    media = frozenset({"b64_json"})

    def references(self, target: Target, body: JsonObject) -> tuple[Reference, ...]:
        return tuple(_files(body))


def _files(body: JsonObject) -> Iterator[Reference]:
    images = body.get("images")
    for index, image in enumerate(images if isinstance(images, list) else [images]):
        if isinstance(image, dict) and isinstance(image.get("file_id"), str):
            yield Reference("file", image["file_id"], f"/images/{index}/file_id")
    mask = body.get("mask")
    if isinstance(mask, dict) and isinstance(mask.get("file_id"), str):
        yield Reference("file", mask["file_id"], "/mask/file_id")


CODEC: Final[Codec] = OpenAiImageEdits()
