"""Streams that slow detectors read: what waits for them, for how long, and what their word does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from detectors.errors import UpstreamError
from detectors.types import Direction
from policies.judging import Slow, SlowStreams
from policies.types import ActionName, BlockAs, Disclose, Facts, Policy, StopReason
from proxy.bodies.walk import Walk
from proxy.codec import Refusal
from proxy.providers.openai_chat import CODEC
from proxy.screen import Screen, Screened
from proxy.streams.paced import PacedStream
from proxy.streams.slow_reading import SlowReading
from proxy.streams.streaming import StreamEnd, StreamScreen
from tests.contracts.targets import TARGETS
from tests.proxy.conftest import MakeVerdict
from tests.proxy.streams.test_streaming import Screening, ended, said, sse

SAFE = "The harbour opens at nine. Boats leave every hour, and the last one returns at dusk. " * 20
BAD = "Now for the forbidden part. "
HOLD, RELEASE = SlowStreams(Slow.HOLD, 30.0), SlowStreams(Slow.RELEASE)


@dataclass(slots=True)
class Slowly:
    """A slow detector: it stops what says `forbidden`, once it is let go on."""

    make_verdict: MakeVerdict
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    read: list[str] = field(default_factory=list)
    reason: StopReason = StopReason.FOUND

    async def judge(self, walk: Walk) -> Screened:
        await self.gate.wait()
        self.read.append(walk.segments[0].text)
        bad = "forbidden" in walk.segments[0].text
        action, stop = (ActionName.BLOCK, self.reason) if bad else (ActionName.ALLOW, None)
        return Screened(self.make_verdict(action, stop=stop), ())


@dataclass(slots=True)
class Going:
    """A stream on its way: what was sent so far."""

    screen: StreamScreen
    stream: PacedStream
    sent: list[bytes] = field(default_factory=list)

    @property
    def said(self) -> str:
        return Screening(b"".join(self.sent), self.screen).text()

    async def go(self, chunks: AsyncIterator[bytes]) -> None:
        async for data in self.stream.run(chunks):
            self.sent.append(data)


Start = Callable[..., Going]


@pytest.fixture
def slowly(make_verdict: MakeVerdict) -> Slowly:
    return Slowly(make_verdict)


@pytest.fixture
def start(screen: Screen, make_policy: Callable[[str], Policy], slowly: Slowly) -> Start:
    policy = make_policy("")

    def start(terms: SlowStreams) -> Going:
        streaming = StreamScreen(
            CODEC.stream(TARGETS[CODEC.name]),
            lambda walk: screen.judge(walk, policy, Facts(at=0.0), 1, b"k" * 32),
            lambda verdict: Refusal(verdict, Direction.RESPONSE, Disclose.CATEGORY, "decision-1"),
            BlockAs.ERROR,
            glance=lambda segment, before: screen.glance(segment, before, 1),
        )
        return Going(streaming, PacedStream(streaming, SlowReading(slowly.judge, lambda *_: None), terms))

    return start


async def coming(text: str, size: int = 40, *, fails: bool = False) -> AsyncIterator[bytes]:
    for event in said(text, size):
        yield sse(event)
    if fails:
        raise UpstreamError("u", "reset")
    for event in ended():
        yield event if isinstance(event, bytes) else sse(event)


async def settle() -> None:
    for _ in range(400):
        await asyncio.sleep(0)


async def test_released_text_goes_out_while_it_is_read(start: Start, slowly: Slowly) -> None:
    going = start(RELEASE)
    task = asyncio.ensure_future(going.go(coming(SAFE)))
    await settle()
    assert (going.said, slowly.read, task.done()) == (SAFE, [], False)  # all but the event that ends it
    slowly.gate.set()
    await task
    assert (going.screen.end, b"[DONE]" in going.sent[-1]) == (StreamEnd.FINISHED, True)
    assert "forbidden" not in "".join(slowly.read)


async def test_held_text_waits_until_it_was_read(start: Start, slowly: Slowly) -> None:
    going = start(HOLD)
    task = asyncio.ensure_future(going.go(coming(SAFE)))
    await settle()
    assert (going.said, task.done()) == ("", False)
    slowly.gate.set()
    await task
    assert (going.said, going.screen.end) == (SAFE, StreamEnd.FINISHED)


async def test_held_text_waits_no_longer_than_the_policy_says_and_is_read_all_the_same(
    start: Start, slowly: Slowly
) -> None:
    going = start(SlowStreams(Slow.HOLD, 0.02))
    task = asyncio.ensure_future(going.go(coming(SAFE + BAD)))
    await asyncio.sleep(0.05)
    await settle()
    assert "harbour opens" in going.said
    slowly.gate.set()
    await task
    assert going.screen.end is StreamEnd.CUT
    assert "forbidden" in "".join(slowly.read)


@pytest.mark.parametrize("terms", [HOLD, RELEASE])
async def test_a_word_against_it_cuts_the_stream(start: Start, slowly: Slowly, terms: SlowStreams) -> None:
    going = start(terms)
    slowly.gate.set()
    await going.go(coming(SAFE + BAD + SAFE))
    assert (going.screen.end, b"content_filter" in going.sent[-1], b"[DONE]" in b"".join(going.sent)) == (
        StreamEnd.CUT, True, False
    )  # fmt: skip
    if terms is HOLD:
        assert "forbidden" not in going.said


async def test_what_nobody_could_read_ends_the_stream_as_uninspected(start: Start, slowly: Slowly) -> None:
    going, slowly.reason = start(HOLD), StopReason.UNINSPECTED
    slowly.gate.set()
    await going.go(coming(SAFE + BAD))
    assert (going.screen.end, b"inspection_unavailable" in going.sent[-1]) == (StreamEnd.UNINSPECTED, True)


@pytest.mark.parametrize("terms", [HOLD, RELEASE])
async def test_an_upstream_that_breaks_off_is_told_after_what_was_read(
    start: Start, slowly: Slowly, terms: SlowStreams
) -> None:
    going = start(terms)
    slowly.gate.set()
    with pytest.raises(UpstreamError):
        await going.go(coming(SAFE, fails=True))
    assert going.said == SAFE[: len(going.said)] != ""


@pytest.mark.parametrize("size", [1, 7, 1_000])
async def test_however_it_comes_the_same_is_read_and_said(start: Start, slowly: Slowly, size: int) -> None:
    slowly.gate.set()
    going = start(HOLD)
    await going.go(coming(SAFE, size))
    again = start(HOLD)
    await again.go(coming(SAFE, 40))
    half = len(slowly.read) // 2
    assert (slowly.read[:half], going.said) == (slowly.read[half:], again.said)


async def test_a_failure_of_ours_is_no_permission(start: Start, slowly: Slowly) -> None:
    going = start(RELEASE)
    slowly.make_verdict = None  # type: ignore[assignment]
    slowly.gate.set()
    with pytest.raises(TypeError):
        await going.go(coming(SAFE))
    assert b"[DONE]" not in b"".join(going.sent)


async def test_whoever_leaves_leaves_nothing_running(start: Start, slowly: Slowly) -> None:
    before = len(asyncio.all_tasks())
    task = asyncio.ensure_future(start(HOLD).go(coming(SAFE)))
    await settle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await settle()
    assert len(asyncio.all_tasks()) == before
