"""OpenAI's moderations endpoint, for gateways that can ask one (platform.openai.com/docs/api-reference/moderations)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detectors.errors import EdgeError
from detectors.types import Category, Direction, Origin
from proxy.codec import Codec, JsonObject
from proxy.hook import Asked, Hook, Reply
from proxy.hooks._contract import Contract, plain_walk
from proxy.providers._openai_request import walk_part


class Moderations(Contract):
    """One verdict on all of `input`, in our categories. Nothing is taken back, so what would be masked is flagged."""

    name = "moderations"
    paths = ("/v1/moderations",)

    def read(self, path: str, call: JsonObject, codecs: Sequence[Codec]) -> Asked:
        given = call.get("input")
        inputs: list[Any] = given if isinstance(given, list) else [given]
        if not inputs or not all(isinstance(item, str | dict) for item in inputs):
            raise EdgeError(400, "invalid_request", "'input' must be a text or a list of texts or parts.", "input")
        walk = plain_walk(Direction.REQUEST)
        for index, item in enumerate(inputs):
            start = len(walk.segments)
            walk_part(walk, item, Origin.USER, f"/input/{index}")
            walk.message(start)
        return Asked({"input": inputs}, walk)

    def answer(self, reply: Reply) -> JsonObject:
        scores = reply.told()
        names = [str(category) for category in Category]
        result = {
            "flagged": reply.stops,
            "categories": {name: reply.stops and name in scores for name in names},
            "category_scores": {name: scores.get(name, 0.0) for name in names},
        }
        # Of a list of texts, clients look for each one's result at its place.
        given = reply.document["input"]
        results = [result] * (len(given) if all(isinstance(item, str) for item in given) else 1)
        return {"id": f"modr-{reply.decision_id}", "model": "promptshield", "results": results}


HOOK: Hook = Moderations()
