"""Conversations cost their newest message: how much of what a turn sends is known by then."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from detectors.chain import Chain
from detectors.seams import seams
from detectors.types import Direction, Hit, InspectionContext, Stage, View
from detectors.views import ViewBuilder
from policies.types import Facts, Policy
from proxy.app import Detection
from proxy.providers.openai_chat import CODEC
from proxy.screen import Screen
from storage.cache import LruFindingsCache

WORDS = tuple("please explain how the water cycle moves heat around a planet and why towns are mild".split())  # noqa: SIM905
TOOLS = [
    {"type": "function", "function": {"name": f"tool_{n}", "description": f"Looks up matter {n} in the archive."}}
    for n in range(4)
]


@dataclass
class Reader:
    """Finds nothing, and counts what it had to read."""

    name: str = "reader"
    stage: Stage = Stage.PATTERN
    required: bool = True
    cacheable: bool = True
    revision: str = "1"
    either_way: Literal[True] = True
    characters: int = 0

    async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
        self.characters += sum(len(views[0].segment.text) for views in batch)
        return [()] * len(batch)


@dataclass
class Talk:
    """A conversation through one screen."""

    screen: Screen
    policy: Policy
    numbers: Iterator[int]
    messages: list[dict[str, Any]]

    def say(self, size: int) -> str:
        words = itertools.chain([f"Matter {next(self.numbers)}:"], itertools.cycle(WORDS))
        return " ".join(itertools.islice(words, max(2, size // 6)))

    async def turn(self, asked: int, answered: int) -> tuple[int, int]:
        """Ask and be answered, in so many characters; return how many segments of the request were known, and read."""
        self.messages.append({"role": "user", "content": self.say(asked)})
        request = {"model": "m", "tools": TOOLS, "messages": self.messages}
        coverage = await self._judge(request, Direction.REQUEST)
        message = {"role": "assistant", "content": self.say(answered)}
        await self._judge({"choices": [{"index": 0, "message": message}]}, Direction.RESPONSE)
        self.messages.append(message)
        return coverage

    async def _judge(self, body: object, direction: Direction) -> tuple[int, int]:
        walk = CODEC.segments(body, direction)
        verdict = (await self.screen.judge(walk, self.policy, Facts(at=0.0), 1, b"k" * 32)).verdict
        return verdict.coverage.cached, verdict.coverage.scanned


@pytest.fixture
def talks(detection: Detection, make_policy: Callable[[str], Policy]) -> tuple[Reader, Callable[[], Talk]]:
    reader = Reader()
    screen = Screen(Chain([reader], ViewBuilder(()), "r", LruFindingsCache()), detection.actions)
    policy, numbers = make_policy(""), itertools.count()

    def begin() -> Talk:
        system = {"role": "system", "content": "You are the archive's assistant. " * 20}
        return Talk(screen, policy, numbers, [system])

    return reader, begin


@pytest.mark.parametrize(("asked", "answered"), [(1500, 1500), (600, 1500)])
async def test_in_the_twentieth_turn_nine_tenths_of_all_that_is_read_is_known(
    talks: tuple[Reader, Callable[[], Talk]], asked: int, answered: int
) -> None:
    reader, begin = talks
    talk = begin()
    for _ in range(19):
        await talk.turn(asked, answered)
    before = reader.characters
    await talk.turn(asked, answered)
    answer = len(talk.messages.pop()["content"])
    read = reader.characters - before - answer  # the answer was read when it came

    walk = CODEC.segments({"model": "m", "tools": TOOLS, "messages": talk.messages}, Direction.REQUEST)
    sent = sum(len(segment.text) for segment in [*walk.segments, *seams(walk.messages)])
    assert read / sent <= 0.1


async def test_of_many_conversations_four_fifths_of_all_segments_are_known(
    talks: tuple[Reader, Callable[[], Talk]],
) -> None:
    _, begin = talks
    asked, answered = itertools.cycle((40, 200, 900)), itertools.cycle((100, 600, 2500, 300))
    known = read = 0
    for turns in (2, 4, 8, 16) * 8:
        talk = begin()
        for _ in range(turns):
            cached, scanned = await talk.turn(next(asked), next(answered))
            known, read = known + cached, read + scanned

    assert known / (known + read) >= 0.8
