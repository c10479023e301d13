"""OpenAI completions: what repeats the text, and how its chunks look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from detectors.types import Direction, Origin
from policies.types import ActionName, BlockAs, Disclose, StopReason, Verdict
from proxy.codec import Piece, Refusal
from proxy.providers.openai_completions import CODEC
from tests.contracts.targets import TARGETS

TARGET = TARGETS[CODEC.name]
LOGPROBS = {
    "tokens": [" My", " card"],
    "token_logprobs": [None, -0.25],
    "top_logprobs": [None, {" card": -0.25, " name": -1.5}],
    "text_offset": [0, 3],
}


def answer(text: str = " My card", logprobs: Any = LOGPROBS) -> dict[str, Any]:
    return {"id": "cmpl-1", "choices": [{"text": text, "index": 0, "logprobs": logprobs, "finish_reason": "stop"}]}


def chunk(text: str, reason: str | None = None) -> str:
    choice = {"text": text, "index": 1, "logprobs": None, "finish_reason": reason}
    return orjson.dumps({"id": "cmpl-1", "object": "text_completion", "choices": [choice]}).decode()


def test_of_an_ordinary_answer_only_the_models_words_are_read() -> None:
    walk = CODEC.segments(answer(), Direction.RESPONSE)

    assert [(s.text, s.origin) for s in walk.segments] == [(" My card", Origin.ASSISTANT)]


def test_tokens_that_spell_something_else_are_read() -> None:
    walk = CODEC.segments(answer("other"), Direction.RESPONSE)

    assert {"other", " My", " card", " name"} <= {segment.text for segment in walk.segments}


def test_masking_drops_the_tokens() -> None:
    masked = answer()
    CODEC.without_copies(masked)

    assert masked == answer(logprobs=None)


def test_a_chunk_gives_its_text_to_its_own_channel_and_gets_it_back() -> None:
    reader = CODEC.stream(TARGET)
    frame = reader.read("", chunk("hello"))
    event = orjson.loads(reader.text_event("1/text", "hello")[6:])

    assert (frame.pieces, frame.bare) == ((Piece("1/text", "hello"),), True)
    assert event["choices"] == [{"index": 1, "text": "hello", "logprobs": None, "finish_reason": None}]
    assert reader.read("", chunk("", "stop")).ends == ("1/",)


def test_a_stream_that_is_cut_says_so_in_its_text(make_verdict: Callable[..., Verdict]) -> None:
    verdict = make_verdict(ActionName.BLOCK, stop=StopReason.FOUND)
    refusal, notices = Refusal(verdict, Direction.RESPONSE, Disclose.ID, "d"), {}
    for block_as in (BlockAs.CONTENT_FILTER, BlockAs.REFUSAL):
        event = CODEC.stream(TARGET).cut(refusal, block_as).split(b"\n\n")[0]
        (choice,) = orjson.loads(event[6:])["choices"]
        notices[block_as] = choice["text"]
        assert choice["finish_reason"] == "content_filter"

    assert notices == {BlockAs.CONTENT_FILTER: "", BlockAs.REFUSAL: "Answer blocked by policy"}
