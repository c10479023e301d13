"""Anthropic message batches: POST /v1/messages/batches, GET, DELETE and cancelling of one
(docs.anthropic.com/en/api/creating-message-batches).

There is no list: it would show the whole account, which all tenants share.
"""

from __future__ import annotations

import re
from typing import Final

from proxy.bodies.json_document import read_object
from proxy.bodies.walk import Walk
from proxy.codec import Codec, JsonObject, Reference, Target
from proxy.providers._anthropic_batch import check_models, references_in, requests_in, walk_batch
from proxy.providers._anthropic_request import reachable_models
from proxy.providers._anthropic_stored import AnthropicStored
from proxy.providers._stored import Route

_KIND: Final = "batch"
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


class AnthropicBatches(AnthropicStored):
    name = "anthropic_batches"
    routes = (
        Route("POST", "/v1/messages/batches", reads=True),
        Route("GET", "/v1/messages/batches/{batch_id}"),
        Route("DELETE", "/v1/messages/batches/{batch_id}"),
        Route("POST", "/v1/messages/batches/{batch_id}/cancel"),
    )

    def read_body(self, target: Target, raw: bytes, content_type: str) -> JsonObject:
        document = super().read_body(target, raw, content_type)
        check_models(document)
        return document

    def models(self, target: Target, body: JsonObject) -> tuple[str, ...]:
        return tuple(dict.fromkeys(model for _, params in requests_in(body) for model in reachable_models(params)))

    def references(self, target: Target, body: JsonObject) -> tuple[Reference, ...]:
        return (*super().references(target, body), *references_in(body))

    def walk_request(self, walk: Walk, body: JsonObject) -> None:
        walk_batch(walk, body)

    def read_answer(self, raw: bytes, kind: str) -> JsonObject | None:
        """Let the results be fetched here: clients follow the URL, and would take their key past the firewall."""
        answer = read_object(raw)
        if answer is not None and answer.get("results_url") is not None:
            name = answer.get("id")
            known = isinstance(name, str) and _ID.fullmatch(name)
            answer["results_url"] = f"/v1/messages/batches/{name}/results" if known else None
        return answer

    def creations(self, answer: JsonObject) -> tuple[Reference, ...]:
        name = answer.get("id")
        made = answer.get("type") == "message_batch" and isinstance(name, str)
        return (Reference(_KIND, str(name)),) if made else ()


CODEC: Final[Codec] = AnthropicBatches()
