"""Answers that are held against the policy as a whole: a stream does not say that it ended well before it is known."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from detectors.types import Direction
from policies.output import output_findings
from policies.types import BlockAs, Disclose, Facts, Policy
from proxy.codec import Codec, Refusal
from proxy.providers.anthropic_messages import CODEC as ANTHROPIC
from proxy.providers.gemini_generate import CODEC as GEMINI
from proxy.providers.openai_chat import CODEC as CHAT
from proxy.screen import Screen
from proxy.streams.streaming import StreamScreen
from tests.contracts.targets import TARGETS
from tests.proxy.streams.test_joints import blocks

ENDS: dict[str, tuple[Codec, list[dict[str, Any]], str]] = {
    "chat": (
        CHAT,
        [
            {"choices": [{"index": 0, "delta": {"content": "It is nine."}, "finish_reason": None}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}},
        ],
        '"finish_reason":"stop"',
    ),
    "anthropic": (
        ANTHROPIC,
        [
            *blocks("It is nine.")[:-2],
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
            {"type": "message_stop"},
        ],
        "end_turn",
    ),
    "gemini": (
        GEMINI,
        [
            {"candidates": [{"content": {"parts": [{"text": "It is "}], "role": "model"}, "index": 0}]},
            {
                "candidates": [
                    {"content": {"parts": [{"text": "nine."}], "role": "model"}, "index": 0, "finishReason": "STOP"}
                ]
            },
        ],
        "STOP",
    ),
}


async def test_another_choice_keeps_its_order_while_one_has_ended(
    screen: Screen, make_policy: Callable[[str], Policy]
) -> None:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": ""}}
    events: list[dict[str, Any]] = [
        {"index": 0, "delta": {"content": "Nine."}, "finish_reason": None},
        {"index": 0, "delta": {}, "finish_reason": "stop"},
        {"index": 1, "delta": {"role": "assistant", "content": None}, "finish_reason": None},
        {"index": 1, "delta": {"tool_calls": [call]}, "finish_reason": None},
        {"index": 1, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":"Paris"}'}}]}},
        {"index": 1, "delta": {}, "finish_reason": "tool_calls"},
    ]

    async def arriving() -> AsyncIterator[bytes]:
        for choice in events:
            yield b"data: " + orjson.dumps({"choices": [choice]}) + b"\n\n"
        yield b"data: [DONE]\n\n"

    policy = make_policy("")
    streaming = StreamScreen(
        CHAT.stream(TARGETS[CHAT.name]),
        lambda walk: screen.judge(walk, policy, Facts(at=0.0), 1, b"k" * 32),
        lambda verdict: Refusal(verdict, Direction.RESPONSE, Disclose.CATEGORY, "decision-1"),
        BlockAs.ERROR,
        weighed_whole=True,
    )
    sent = b"".join([data async for data in streaming.run(arriving())]).decode()

    marks = ['"role":"assistant"', "get_weather", "Paris", '"finish_reason":"stop"', '"finish_reason":"tool_calls"']
    assert [sent.index(mark) for mark in marks] == sorted(sent.index(mark) for mark in marks)


@pytest.mark.parametrize("block_as", list(BlockAs))
@pytest.mark.parametrize("dialect", ENDS)
async def test_a_stream_that_is_stopped_at_its_end_has_not_said_that_it_ended_well(
    screen: Screen, make_policy: Callable[[str], Policy], dialect: str, block_as: BlockAs
) -> None:
    codec, events, well = ENDS[dialect]
    policy = make_policy("output: {max_length: 5}")

    async def run(*, stops: bool) -> list[str]:
        async def arriving() -> AsyncIterator[bytes]:
            for event in events:
                yield b"data: " + orjson.dumps(event) + b"\n\n"
            if codec is CHAT:
                yield b"data: [DONE]\n\n"

        streaming = StreamScreen(
            codec.stream(TARGETS[codec.name]),
            lambda walk: screen.judge(walk, policy, Facts(at=0.0), 1, b"k" * 32),
            lambda verdict: Refusal(verdict, Direction.RESPONSE, Disclose.CATEGORY, "decision-1"),
            block_as,
            weighed_whole=True,
        )
        sent = []
        async for data in streaming.run(arriving()):
            whole = screen.weigh(tuple(output_findings(policy.output, ["It is nine."])), policy, Facts(at=0.0))  # type: ignore[arg-type]
            sent.append((streaming.weigh(whole, data) if streaming.ended and stops else data).decode())
        return sent

    passed, stopped = await run(stops=False), await run(stops=True)

    assert "nine" in "".join(passed)
    assert "".join(passed).count(well) == 1
    assert "nine" in "".join(stopped)
    if not (block_as is BlockAs.REFUSAL and dialect == "chat"):  # whose refusals end with `stop`, too
        assert well not in "".join(stopped)
    else:
        assert "".join(stopped).count(well) == 1
        assert "refusal" in stopped[-1]
