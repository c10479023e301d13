"""What the endpoints beside chat have in common: one path, fields with an author each, answers without a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detectors.types import Direction, Origin, Unscanned
from policies.types import BlockAs
from proxy.bodies.pointer import escape
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject, Refusal, StreamReader, Target
from proxy.providers._layouts import MEDIA
from proxy.providers._openai_answer import ANSWER_FACTS
from proxy.providers._openai_dialect import OpenAiDialect
from proxy.providers._openai_event_stream import EventStream
from proxy.providers._openai_media import walk_media
from proxy.providers._openai_request import FIELDS, walk_request
from proxy.providers._openai_shapes import error_body, is_fact, told_of


class OpenAiEndpoint(OpenAiDialect):
    """A codec but for its name. `origins` says who writes which field of a request, `media` under which keys of an
    answer bytes stand in base64, `token_ids` what a prompt in numbers counts as.
    """

    path = ""
    layout = MEDIA
    origins: Mapping[str, Origin] = FIELDS
    media: frozenset[str] = frozenset()
    token_ids = Unscanned.TOKEN_IDS

    def claims(self, method: str, path: str) -> bool:
        return method == "POST" and path == self.path

    def segments(self, body: Any, direction: Direction) -> Walk:
        walk = Walk(direction, self.vocabulary)
        if not isinstance(body, dict):
            walk.visit(body, Origin.UNKNOWN, "")
        elif direction is Direction.REQUEST:
            self.walk_request(walk, body)
        else:
            self.walk_answer(walk, body)
        return walk

    def walk_request(self, walk: Walk, body: JsonObject) -> None:
        walk_request(walk, body, self.origins, self.token_ids)

    def walk_answer(self, walk: Walk, body: JsonObject) -> None:
        for key, value in body.items():
            if key in ANSWER_FACTS and is_fact(value):
                walk.skip("answer_facts", 2)
            else:
                walk.child(key, None, Origin.ASSISTANT, "")
                self.walk_field(walk, key, value)

    def walk_field(self, walk: Walk, key: str, value: object) -> None:
        """Take in the value of one field of an answer that is no plain fact."""
        walk_media(walk, value, Origin.ASSISTANT, f"/{escape(key)}", self.media, key)

    def stream(self, target: Target) -> StreamReader:
        return EventStream(self.media)

    def blocked_answer(self, refusal: Refusal, block_as: BlockAs, answer: JsonObject) -> JsonObject:
        """Return the facts of the answer and an error: these endpoints have no word for a filtered answer."""
        facts = {key: value for key, value in answer.items() if key in ANSWER_FACTS and is_fact(value)}
        return facts | error_body(400, "content_filter", told_of(refusal).sentence)

    def without_copies(self, answer: JsonObject) -> None:
        """Drop nothing: nothing is said twice."""
