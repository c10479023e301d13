"""How a stream of choices ends that is cut: those that have no end yet, or all of them where each had its own."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest

from detectors.types import Direction
from policies.types import ActionName, BlockAs, Disclose, Verdict
from proxy.codec import Refusal
from proxy.providers._openai_stream import ChatStream


@pytest.fixture
def refusal(make_verdict: Callable[..., Verdict]) -> Refusal:
    return Refusal(make_verdict(ActionName.BLOCK), Direction.RESPONSE, Disclose.ID, "decision-1")


def said(index: int, finish: str | None) -> str:
    return orjson.dumps({"choices": [{"index": index, "delta": {"content": "a"}, "finish_reason": finish}]}).decode()


@pytest.mark.parametrize(
    ("events", "cut"),
    [
        ([], [0]),
        ([said(0, None), said(1, None)], [0, 1]),
        ([said(0, "stop"), said(1, None)], [1]),
        ([said(0, "stop"), said(1, "stop")], [0, 1]),  # whose ends were held until everything was read
    ],
)
def test_whoever_had_no_end_or_a_held_one_is_told(refusal: Refusal, events: list[str], cut: list[int]) -> None:
    stream = ChatStream()
    for event in events:
        stream.read("", event)
    sent = orjson.loads(stream.cut(refusal, BlockAs.CONTENT_FILTER).split(b"\n\n")[0].removeprefix(b"data: "))
    assert [(choice["index"], choice["finish_reason"]) for choice in sent["choices"]] == [
        (index, "content_filter") for index in cut
    ]
