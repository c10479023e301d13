"""A part of an upload: POST /v1/uploads/{upload_id}/parts, a form (platform.openai.com/docs/api-reference/uploads)."""

from __future__ import annotations

from typing import Final

from proxy.codec import Codec
from proxy.providers._openai_file_form import FileForm
from proxy.providers._stored import Route


class OpenAiUploadParts(FileForm):
    """Reads a part as it reads a file: the only part is the whole of it."""

    name = "openai_upload_parts"
    field = "data"
    routes = (Route("POST", "/v1/uploads/{upload_id}/parts", reads=True),)


CODEC: Final[Codec] = OpenAiUploadParts()
