"""OpenAI completions: POST /v1/completions (platform.openai.com/docs/api-reference/completions)."""

from __future__ import annotations

from typing import Final

from detectors.types import Origin
from policies.types import BlockAs
from proxy.bodies.walk import Walk
from proxy.codec import Codec, JsonObject, Refusal, StreamReader, Target
from proxy.providers._layouts import CHOICES
from proxy.providers._openai_answer import ANSWER_FACTS, drop_logprobs, walk_answer
from proxy.providers._openai_endpoint import OpenAiEndpoint
from proxy.providers._openai_request import FIELDS
from proxy.providers._openai_shapes import is_fact, told_of
from proxy.providers._openai_stream import ChatStream


class CompletionStream(ChatStream):
    """Chunks whose text stands in the choice itself: the channel of choice 0 is `0/text`."""

    chunk = "text_completion"

    def nothing_said(self) -> JsonObject:
        return {"text": "", "logprobs": None}

    def ending(self, notice: str, block_as: BlockAs) -> JsonObject:
        return _ending(notice, block_as)


class OpenAiCompletions(OpenAiEndpoint):
    name = "openai_completions"
    path = "/v1/completions"
    layout = CHOICES
    origins = {**FIELDS, "suffix": Origin.USER}  # noqa: RUF012 - a mapping nobody writes to

    def walk_answer(self, walk: Walk, body: JsonObject) -> None:
        walk_answer(walk, body)

    def stream(self, target: Target) -> StreamReader:
        return CompletionStream()

    def blocked_answer(self, refusal: Refusal, block_as: BlockAs, answer: JsonObject) -> JsonObject:
        notice = told_of(refusal).sentence
        facts = {key: value for key, value in answer.items() if key in ANSWER_FACTS and is_fact(value)}
        return facts | {"choices": [{"index": 0, "logprobs": None, **_ending(notice, block_as)}]}

    def without_copies(self, answer: JsonObject) -> None:
        drop_logprobs(answer)


def _ending(notice: str, block_as: BlockAs) -> JsonObject:
    """Return what a blocked choice says: there is no refusal beside the text here, so the notice is the text."""
    return {"text": notice if block_as is BlockAs.REFUSAL else "", "finish_reason": "content_filter"}


CODEC: Final[Codec] = OpenAiCompletions()
