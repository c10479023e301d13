"""Several calls in one chunk become several chunks, and everything else stays as it came."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from proxy.providers._chat_parser import ChatParser


def call(name: str, **more: Any) -> dict[str, Any]:
    return {"id": f"c-{name}", "type": "function", "function": {"name": name, "arguments": '{"a": 1}'}, **more}


def chunk(delta: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": "c-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def read(document: Any) -> list[Any]:
    parser = ChatParser()
    raw = b"data: " + orjson.dumps(document) + b"\n\n"
    return [orjson.loads(event.data) for event in (*parser.feed(raw), *parser.finish())]


def test_calls_of_one_chunk_come_one_by_one_and_their_end_last() -> None:
    counted = {"usage": {"total_tokens": 9}, "prompt_filter_results": [{}]}
    both = {"role": "assistant", "content": "", "tool_calls": [call("f"), call("g", index=3)]}

    assert read(chunk(both, "tool_calls", **counted)) == [
        chunk({"role": "assistant", "content": "", "tool_calls": [{"index": 0, **call("f")}]}),
        chunk({"tool_calls": [call("g", index=3)]}),
        chunk({}, "tool_calls", **counted),
    ]


def test_a_call_that_comes_with_the_end_comes_before_it() -> None:
    told = read(chunk({"tool_calls": [call("f", index=0)]}, "stop"))

    assert told == [chunk({"tool_calls": [call("f", index=0)]}), chunk({}, "stop")]


@pytest.mark.parametrize(
    "document",
    [
        chunk({"content": "tool_calls"}),
        chunk({"tool_calls": [call("f")]}),
        chunk({"tool_calls": []}, "stop"),
        chunk({"tool_calls": [call("f"), "g"]}),
        chunk({"tool_calls": [call("f")] * 65}),
        chunk({"tool_calls": [call("f" * 300_000), call("g")]}),
        {"choices": [*chunk({"tool_calls": [call("f"), call("g")]})["choices"], {}]},
        {"tool_calls": [1, 2]},
        [{"tool_calls": []}],
    ],
    ids=lambda document: str(document)[:60],
)
def test_everything_else_stays_as_it_came(document: Any) -> None:
    assert read(document) == [document]


def test_what_cannot_be_read_stays_for_whoever_says_so() -> None:
    assert [event.data for event in ChatParser().feed(b'data: {"tool_calls": \n\n')] == ['{"tool_calls": ']
