"""Texts that clients join and streams bring in pieces: blocks, parts, and channels that begin anew."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import orjson
import pytest

from detectors.types import Direction
from policies.types import Disclose, Facts, Policy
from proxy.codec import Codec, Refusal
from proxy.providers.anthropic_messages import CODEC as ANTHROPIC
from proxy.providers.gemini_generate import CODEC as GEMINI
from proxy.providers.openai_chat import CODEC as CHAT
from proxy.providers.openai_responses import CODEC as RESPONSES
from proxy.screen import Screen
from proxy.streams.held_texts import Glancing
from proxy.streams.joints import Joints
from proxy.streams.streaming import StreamEnd, StreamScreen, left_to_the_judge
from tests.contracts.targets import TARGETS

KEY = "AKIAZ7Q2XW4M3NP5RT6V"
Event = dict[str, Any]


def blocks(*texts: str) -> list[Event]:
    """Say each text in a block of its own, a few characters at a time."""
    head: Event = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None}
    events: list[Event] = [{"type": "message_start", "message": {**head, "usage": {"input_tokens": 1}}}]
    for index, text in enumerate(texts):
        empty = {"type": "text", "text": ""}
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        for piece in cut(text):
            delta = {"type": "text_delta", "text": piece}
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events.append({"type": "content_block_stop", "index": index})
    return [*events, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"}]


def woven(*texts: str) -> list[Event]:
    """As `blocks`, and all of them are open until the end."""
    told = blocks(*texts)
    stops = [event for event in told if event["type"] == "content_block_stop"]
    return [*(event for event in told[:-2] if event not in stops), *stops, *told[-2:]]


def backwards(*texts: str) -> list[Event]:
    """As `woven`, and what comes first is said last."""
    told = woven(*texts)
    deltas = [event for event in told if event["type"] == "content_block_delta"]
    at = told.index(deltas[0])
    rest = [event for event in told if event not in deltas]
    starts = [event for event in rest if event["type"] == "content_block_start"]
    rest = [event for event in rest if event not in starts]
    ordered = sorted(deltas, key=lambda event: -event["index"])
    return [*rest[: at - 1], *starts, *ordered, *rest[at - 1 :]]


def ended_backwards(*texts: str) -> list[Event]:
    """As `blocks`, all begun at once, and what comes last is said, and over, before what comes first."""
    told = blocks(*texts)
    starts = [event for event in told if event["type"] == "content_block_start"]
    said = [event for event in told[1:-2] if event not in starts]
    return [told[0], *starts, *sorted(said, key=lambda event: -event["index"]), *told[-2:]]


def items_backwards(*texts: str) -> list[Event]:
    events: list[Event] = []
    for index, text in reversed(list(enumerate(texts))):
        place = {"item_id": f"msg_{index}", "output_index": index, "content_index": 0}
        events += [{"type": "response.output_text.delta", **place, "delta": piece} for piece in cut(text)]
        events.append({"type": "response.output_text.done", **place, "text": text})
    return [*events, {"type": "response.completed", "response": {"id": "resp_1", "output": []}}]


def content_in_parts(*texts: str) -> list[Event]:
    """Say each text in a part of its own, of whose chunk it is not the first."""
    return [
        {"choices": [{"index": 0, "delta": {"content": [*({"type": "reference"} for _ in range(n)), part]}}]}
        for n, part in enumerate({"type": "text", "text": text} for text in texts)
    ]


def parts(*texts: str) -> list[Event]:
    events = []
    for index, text in enumerate(texts):
        place = {"item_id": "msg_1", "output_index": 0, "content_index": index}
        events += [{"type": "response.output_text.delta", **place, "delta": piece} for piece in cut(text)]
        events.append({"type": "response.output_text.done", **place, "text": text})
    item = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
    output = [{"id": "msg_1", "type": "message", "role": "assistant", "content": item}]
    return [*events, {"type": "response.completed", "response": {"id": "resp_1", "output": output}}]


def finished_each_time(*texts: str) -> list[Event]:
    return [
        {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}], "model": "m"} for text in texts
    ]


def stopped_each_time(*texts: str) -> list[Event]:
    return [
        {"candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "index": 0, "finishReason": "STOP"}]}
        for text in texts
    ]


def cut(text: str) -> list[str]:
    return [text[i : i + 6] for i in range(0, len(text), 6)]


WAYS = {
    "blocks": (ANTHROPIC, blocks),
    "woven blocks": (ANTHROPIC, woven),
    "blocks in another order": (ANTHROPIC, backwards),
    "blocks that end in another order": (ANTHROPIC, ended_backwards),
    "items in another order": (RESPONSES, items_backwards),
    "parts": (RESPONSES, parts),
    "parts of chunks": (CHAT, content_in_parts),
    "chunks that finish": (CHAT, finished_each_time),
    "candidates that stop": (GEMINI, stopped_each_time),
}
SECRETS = {
    "a key": ([f"The key is {KEY[:9]}", f"{KEY[9:]} as said"], KEY[9:]),
    "an address": (["Write to anna.schmidt@", "example.org today, she answers."], "example.org"),
    "a card": (["Card 4111 1111", " 1111 1111 is what you asked for"], "1111 1111 is"),
    "a key in three": ([f"Key {KEY[:6]}", KEY[6:13], f"{KEY[13:]}, keep it"], KEY[13:]),
}


@pytest.fixture
def play(screen: Screen, make_policy: Callable[[str], Policy]) -> Callable[..., Any]:
    policy = make_policy("")

    async def play(codec: Codec, events: Sequence[Event], *, judged: bool) -> tuple[StreamEnd, str]:
        async def arriving() -> AsyncIterator[bytes]:
            for event in events:
                yield b"data: " + orjson.dumps(event) + b"\n\n"
            if codec is CHAT:
                yield b"data: [DONE]\n\n"

        glance: Glancing = left_to_the_judge if judged else lambda segment, before: screen.glance(segment, before, 1)
        streaming = StreamScreen(
            codec.stream(TARGETS[codec.name]),
            lambda walk: screen.judge(walk, policy, Facts(at=0.0), 1, b"k" * 32),
            lambda verdict: Refusal(verdict, Direction.RESPONSE, Disclose.CATEGORY, "decision-1"),
            policy.block_as,
            glance=glance,
        )
        sent = b"".join([data async for data in streaming.run(arriving())])
        return streaming.end, sent.decode()

    return play


@pytest.mark.parametrize("judged", [False, True], ids=["glanced", "judged"])
@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("way", WAYS)
async def test_what_is_cut_in_pieces_does_not_arrive_whole(
    play: Callable[..., Any], way: str, secret: str, judged: bool
) -> None:
    codec, told = WAYS[way]
    texts, rest = SECRETS[secret]
    if told is backwards and len(texts) > 2:
        return  # no API says the middle of a text between its end and its beginning

    end, sent = await play(codec, told(*texts), judged=judged)

    assert end is StreamEnd.CUT
    assert rest not in sent or texts[0][-9:] not in sent


@pytest.mark.parametrize("way", WAYS)
async def test_what_a_text_begins_with_is_found_though_it_is_none_behind_the_text_before(
    play: Callable[..., Any], way: str
) -> None:
    codec, told = WAYS[way]

    end, sent = await play(codec, told("What you asked for is", f"{KEY} as said"), judged=False)

    assert end is StreamEnd.FINISHED
    assert "[AWS_ACCESS_KEY]" in sent
    assert KEY not in sent


@pytest.mark.parametrize("way", WAYS)
async def test_ordinary_texts_in_pieces_arrive_whole(play: Callable[..., Any], way: str) -> None:
    codec, told = WAYS[way]
    texts = [
        "The harbour opens at ",
        "nine, and boats leave every hour",
        ". Ask at the desk: write to ",
        "them by post.",
    ]

    end, sent = await play(codec, told(*texts), judged=False)

    assert end is StreamEnd.FINISHED
    assert "desk" in sent
    assert "post" in sent


@pytest.mark.parametrize("codec", [ANTHROPIC, RESPONSES], ids=["blocks", "items"])
async def test_what_is_masked_in_one_of_two_that_go_on_at_once_ends_no_stream(
    play: Callable[..., Any], codec: Codec
) -> None:
    one, other = (
        cut("Please write to anna.schmidt@example.org, she knows."),
        cut("The harbour opens at nine, every day."),
    )
    events: list[Event] = []
    if codec is ANTHROPIC:
        told = woven("", "")
        at = len(told) - 4
        events = told[:at]
        for pair in zip(one, other, strict=False):
            for index, piece in enumerate(pair):
                delta = {"type": "text_delta", "text": piece}
                events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events += told[at:]
    else:
        for pair in zip(one, other, strict=False):
            for index, piece in enumerate(pair):
                place = {"item_id": f"msg_{index}", "output_index": index, "content_index": 0}
                events.append({"type": "response.output_text.delta", **place, "delta": piece})
        events.append({"type": "response.completed", "response": {"id": "resp_1", "output": []}})

    end, sent = await play(codec, events, judged=False)

    assert end is StreamEnd.FINISHED
    assert "[EMAIL]" in sent
    assert "schmidt" not in sent


async def test_many_blocks_are_not_judged_at_every_word(screen: Screen, make_policy: Callable[[str], Policy]) -> None:
    policy, judged = make_policy(""), [0]

    async def judge(walk: Any) -> Any:
        judged[0] += 1
        return await screen.judge(walk, policy, Facts(at=0.0), 1, b"k" * 32)

    async def arriving() -> AsyncIterator[bytes]:
        for event in blocks(*["The harbour opens at nine, and boats leave every hour from the old pier. "] * 30):
            yield b"data: " + orjson.dumps(event) + b"\n\n"

    streaming = StreamScreen(
        ANTHROPIC.stream(TARGETS[ANTHROPIC.name]),
        judge,
        lambda verdict: Refusal(verdict, Direction.RESPONSE, Disclose.CATEGORY, "decision-1"),
        policy.block_as,
        glance=lambda segment, before: screen.glance(segment, before, 1),
    )
    sent = b"".join([data async for data in streaming.run(arriving())])

    assert streaming.end is StreamEnd.FINISHED
    assert sent.count(b"content_block_stop") >= 30
    assert judged[0] < 30 * 4


async def test_what_is_masked_beside_a_joint_ends_no_stream(play: Callable[..., Any]) -> None:
    end, sent = await play(ANTHROPIC, blocks("To anna@example.org: ", "and to anna@example.org."), judged=False)

    assert end is StreamEnd.FINISHED
    assert sent.count("[EMAIL]") == 2


def test_what_is_remembered_is_bounded() -> None:
    joints = Joints(lambda channel: channel)
    for number in range(5000):
        joints.send(f"{number}", "x" * 600)
    joints.begin("1", {})
    joints.begin("4999", {})

    assert joints.before("1") == ()
    assert joints.before("4999") == ("x" * 512,)
