"""OpenAI batches: POST /v1/batches, GET and cancelling of one (platform.openai.com/docs/api-reference/batch).

The requests of a batch were read when their file came, and its answers are when theirs is fetched.
"""

from __future__ import annotations

from typing import Final

from proxy.codec import Codec, JsonObject, Reference, Target
from proxy.providers._openai_objects import OpenAiObjects
from proxy.providers._stored import Route

_INPUT: Final = "input_file_id"


class OpenAiBatches(OpenAiObjects):
    name = "openai_batches"
    routes = (
        Route("POST", "/v1/batches", reads=True),
        Route("GET", "/v1/batches/{batch_id}"),
        Route("POST", "/v1/batches/{batch_id}/cancel"),
    )

    def references(self, target: Target, body: JsonObject) -> tuple[Reference, ...]:
        file = body.get(_INPUT)
        named = (Reference("file", file, f"/{_INPUT}"),) if isinstance(file, str) and file else ()
        return (*super().references(target, body), *named)


CODEC: Final[Codec] = OpenAiBatches()
