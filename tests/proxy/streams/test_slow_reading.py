"""The windows that slow detectors read: cut by the text alone, all of it read, in order told."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.types import ActionName
from proxy.bodies.walk import Walk
from proxy.screen import Screened
from proxy.streams.slow_reading import WINDOW, SlowReading
from tests.proxy.conftest import MakeVerdict

WORDS = "The boat leaves at nine. Nobody knows why! Is that so? It is\n"
TEXT = "".join(f"{number} {WORDS}" for number in range(120))


async def windows(pieces: list[str], channel: str = "a") -> list[str]:
    """Return the texts that are read of a channel that comes in pieces."""
    read: list[str] = []

    async def judge(walk: Walk) -> Screened:
        read.append(walk.segments[0].text)
        raise asyncio.CancelledError

    reading = SlowReading(judge, lambda *_: None)
    for piece in pieces:
        reading.hear(channel, piece)
    reading.finish()
    await asyncio.gather(*reading.tasks, return_exceptions=True)
    return read


@settings(max_examples=30)
@given(cuts=st.lists(st.integers(0, len(TEXT)), max_size=30))
def test_the_same_text_is_read_in_the_same_windows_however_it_comes(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(TEXT)]
    pieces = [TEXT[a:b] for a, b in pairwise(edges)]

    async def both() -> tuple[list[str], list[str]]:
        return await windows(pieces), await windows([TEXT])

    split, whole = asyncio.run(both())
    assert split == whole


async def test_all_of_a_text_is_read_and_each_window_begins_with_the_end_of_the_last() -> None:
    read = await windows([TEXT])
    assert len(read) > 5
    joined = read[0]
    for before, window in pairwise(read):
        assert window.startswith(before[-200:])
        joined += window[200:]
    assert joined == TEXT
    assert all(len(window) <= WINDOW + 200 for window in read)


@pytest.mark.parametrize("text", ["x" * 5_000, "你好。" * 1_500, "a" * WINDOW, "short"])
async def test_text_without_sentences_is_read_as_well(text: str) -> None:
    read = await windows([text])
    assert read[0] + "".join(window[200:] for window in read[1:]) == text


async def test_what_was_read_is_told_in_order_and_a_stop_is_kept(make_verdict: MakeVerdict) -> None:
    gates = {0: asyncio.Event(), 1: asyncio.Event()}
    asked = iter(gates.values())

    async def judge(walk: Walk) -> Screened:
        await next(asked).wait()
        return Screened(make_verdict(ActionName.ALLOW), ())

    reading = SlowReading(judge, lambda *_: None)
    reading.hear("a", "one. ")
    reading.hear("b", "two. ")
    reading.finish()
    assert (reading.newest, reading.read_through) == (1, -1)
    await asyncio.sleep(0)
    gates[1].set()
    await asyncio.wait(reading.tasks, return_when=asyncio.FIRST_COMPLETED)
    assert reading.read_through == -1  # the second is read, the first is not
    gates[0].set()
    await asyncio.wait(reading.tasks)
    assert (reading.read_through, reading.verdict, reading.failure) == (1, None, None)


async def test_a_window_that_could_not_be_read_is_never_taken_for_read() -> None:
    async def judge(_walk: Walk) -> Screened:
        raise ArithmeticError

    reading = SlowReading(judge, lambda *_: None)
    reading.hear("a", "one. ")
    reading.finish()
    await asyncio.wait(reading.tasks)
    await asyncio.sleep(0)
    assert isinstance(reading.failure, ArithmeticError)
    assert reading.read_through == -1
