"""OpenAI uploads: POST /v1/uploads, and the end of one (platform.openai.com/docs/api-reference/uploads).

A text could be cut where two parts meet, and would be read in neither: an upload is complete with one part, which may
be as large as any body.
"""

from __future__ import annotations

from typing import Final

from detectors.errors import EdgeError
from proxy.codec import Codec, JsonObject, Reference, Target
from proxy.providers._openai_objects import OpenAiObjects
from proxy.providers._stored import Route

_PARTS: Final = "part_ids"


class OpenAiUploads(OpenAiObjects):
    name = "openai_uploads"
    routes = (
        Route("POST", "/v1/uploads", reads=True),
        Route("POST", "/v1/uploads/{upload_id}/complete", reads=True),
        Route("POST", "/v1/uploads/{upload_id}/cancel"),
    )

    def read_sent(self, target: Target, raw: bytes, content_type: str) -> JsonObject:
        document = super().read_sent(target, raw, content_type)
        parts = document.get(_PARTS, [])
        if not isinstance(parts, list) or len(parts) > 1 or not all(isinstance(part, str) for part in parts):
            message = "An upload of several parts is refused, because a text cut between two would be read in neither."
            raise EdgeError(400, "several_parts", f"{message} Send it as one part, or as a file.", _PARTS)
        return document

    def references(self, target: Target, body: JsonObject) -> tuple[Reference, ...]:
        parts = body.get(_PARTS)
        listed = enumerate(parts if isinstance(parts, list) else [])
        named = (Reference("upload_part", p, f"/{_PARTS}/{i}") for i, p in listed if isinstance(p, str))
        return (*super().references(target, body), *named)


CODEC: Final[Codec] = OpenAiUploads()
