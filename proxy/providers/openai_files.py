"""OpenAI files: POST /v1/files, a form, and GET and DELETE of one (platform.openai.com/docs/api-reference/files).

There is no list: it would show the whole account, which all tenants share.
"""

from __future__ import annotations

from typing import Final

from proxy.codec import Codec
from proxy.providers._openai_file_form import FileForm
from proxy.providers._stored import Route


class OpenAiFiles(FileForm):
    name = "openai_files"
    routes = (
        Route("POST", "/v1/files", reads=True),
        Route("GET", "/v1/files/{file_id}"),
        Route("DELETE", "/v1/files/{file_id}"),
    )


CODEC: Final[Codec] = OpenAiFiles()
