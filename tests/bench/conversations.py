"""`make bench-conversations`: what of a conversation is read again turn by turn, and what it costs to know a text."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random  # noqa: TID251 - a replay that repeats itself
from statistics import mean, median
from typing import Any, Final

from detectors.chain import Chain, InspectionOptions
from detectors.types import Direction, InspectionContext, Kind, Segment
from detectors.views import Lattice, ViewBuilder
from policies.loader import load_policy_text
from policies.types import Facts, Policy
from proxy.app import Detection, load_detection
from proxy.providers.openai_chat import CODEC
from proxy.screen import Screen, with_seams
from storage.cache import LruFindingsCache
from tests.bench.bodies import text

TURN, TURN_BAR = 20, 0.90  # of the bytes that turn 20 sends, known already
REPLAY_BAR: Final = 0.80  # of the segments of all requests of the mixed replay
HIT_BAR: Final = 3.0  # microseconds of CPU
KEY: Final = b"k" * 32


class Counting:
    """A view builder that keeps what had to be read: nothing is read without its views."""

    def __init__(self, views: ViewBuilder) -> None:
        self._views = views
        self.read: list[Segment] = []

    def build(self, segment: Segment) -> Lattice:
        self.read.append(segment)
        return self._views.build(segment)


@dataclass
class Sums:
    """Of requests: segments in all and those that were known, and by turn the known share of all characters: of the
    texts by themselves, and with the seams between them.
    """

    segments: int = 0
    known: int = 0
    texts: dict[int, list[float]] = field(default_factory=dict)
    all: dict[int, list[float]] = field(default_factory=dict)


def size_of(segments: Sequence[Segment]) -> int:
    return sum(len(segment.text) for segment in segments)


def turns(rng: Random, number: int) -> Iterator[tuple[list[dict[str, Any]], str]]:
    """Yield each request's messages of one conversation, with the answer to it: some call tools, some are long."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": text(rng.randint(200, 2500), number)}]
    uses_tools = rng.random() < 0.4
    for turn in range(1, rng.choice([2, 4, 8, 20, 25, 30]) + 1):
        unique = number * 1000 + turn
        messages = [*messages, {"role": "user", "content": text(rng.choice([40, 120, 400, 1500]), unique)}]
        if uses_tools and turn % 3 == 0:
            call = {"id": f"c{unique}", "type": "function", "function": {"name": "look_up", "arguments": '{"n":1}'}}
            messages = [*messages, {"role": "assistant", "tool_calls": [call]}]
            result = text(rng.randint(300, 4000), unique + 500)
            messages = [*messages, {"role": "tool", "tool_call_id": f"c{unique}", "content": result}]
        answer = text(rng.choice([80, 500, 2000]), unique + 700)
        yield messages, answer
        messages = [*messages, {"role": "assistant", "content": answer}]


async def replay(detection: Detection, policy: Policy, conversations: int) -> Sums:
    """Send every turn of every conversation through one worker's screen; half of the answers are streams."""
    counting, rng, sums = Counting(detection.chain._views), Random(1), Sums()  # noqa: S311
    chain = Chain(detection.chain.detectors, counting, detection.chain.revision, LruFindingsCache())  # type: ignore[arg-type] # of views, one method
    screen = Screen(chain, detection.actions)
    for number in range(conversations):
        for turn, (messages, answer) in enumerate(turns(rng, number), start=1):
            walk = CODEC.segments({"model": "m", "messages": messages}, Direction.REQUEST)
            segments = with_seams(walk)
            counting.read.clear()
            screened = await screen.judge(walk, policy, Facts(at=0.0), 1, KEY)
            sums.segments, sums.known = sums.segments + len(segments), sums.known + screened.verdict.coverage.cached
            texts = [segment for segment in counting.read if segment.kind is not Kind.SEAM]
            sums.texts.setdefault(turn, []).append(1 - size_of(texts) / size_of(walk.segments))
            sums.all.setdefault(turn, []).append(1 - size_of(counting.read) / size_of(segments))
            if turn % 2:
                await screen.foresee([answer], policy, "acme", 1, KEY)
            else:
                choice = {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
                said = CODEC.segments({"choices": [choice]}, Direction.RESPONSE)
                await screen.judge(said, policy, Facts(at=0.0), 1, KEY)
    return sums


async def cost_of_knowing(detection: Detection, rounds: int) -> tuple[list[float], list[float]]:
    """Return microseconds of CPU: for a look into the cache, and for a known text in all, hashed and accounted for."""
    cache = LruFindingsCache()
    chain = Chain(detection.chain.detectors, detection.chain._views, detection.chain.revision, cache)
    messages = [{"role": "user" if n % 2 == 0 else "assistant", "content": text(400, n)} for n in range(39)]
    segments = with_seams(CODEC.segments({"model": "m", "messages": messages}, Direction.REQUEST))
    options = InspectionOptions(InspectionContext(1), KEY)
    await chain.inspect(segments, options)
    keys = list(cache._entries)
    looks, whole = [], []
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(200):
            cache.get_many(keys)
        looks.append((time.process_time() - started) / (200 * len(keys)) * 1e6)
        started = time.process_time()
        for _ in range(50):
            await chain.inspect(segments, options)
        whole.append((time.process_time() - started) / (50 * len(segments)) * 1e6)
    return looks, whole


def spread(figures: list[float]) -> str:
    return f"{median(figures):.2f} us ({min(figures):.2f} to {max(figures):.2f})"


def main() -> int:
    detection = load_detection()
    policy = load_policy_text("extends: preset/standard", Path("bench.yaml"), "bench").policy
    sums = asyncio.run(replay(detection, policy, 30 if "--quick" in sys.argv else 200))
    texts, twentieth, segments = mean(sums.texts[TURN]), mean(sums.all[TURN]), sums.known / sums.segments
    looks, whole = asyncio.run(cost_of_knowing(detection, 5))
    held = twentieth >= TURN_BAR, segments >= REPLAY_BAR, median(looks) <= HIT_BAR
    print(f"turn {TURN}: {texts:.1%} of its texts known, {twentieth:.1%} with their seams ({told(TURN_BAR, held[0])})")
    print(f"mixed replay: {segments:.1%} of segments known, seams among them ({told(REPLAY_BAR, held[1])})")
    print(f"a known text: {spread(looks)} to look up, bar {HIT_BAR:g}; {spread(whole)} with its hash, in all stages")
    return 0 if all(held) else 1


def told(bar: float, held: bool) -> str:
    return f"bar {bar:.0%} {'held' if held else 'MISSED'}"


if __name__ == "__main__":
    sys.exit(main())
