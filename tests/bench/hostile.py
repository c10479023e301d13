"""`make bench-hostile`: what hostile text costs beside plain English, and how long it makes others wait."""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

import psutil
import uvloop

from detectors.build import build_chain, build_views
from detectors.chain import InspectionOptions
from detectors.types import Direction
from proxy.app import Detection, load_detection
from proxy.providers.openai_chat import CODEC
from tests.bench.bodies import text
from tests.bench.hostile_texts import families, large_bodies
from tests.bench.stalls import echo, longest_wait, run_as_a_worker, served
from tests.bench.targets import upstream

READING_BARS: Final = {200: 60.0, 8192: 250.0}  # microseconds of CPU for walk and views of plain English
RATIO_BAR: Final = 10.0  # times plain English of the same size: walk, views and signatures
STALL_BAR: Final = 0.050  # seconds that others wait while a megabyte is answered
SLACK: Final = 1.3
LEAST: Final = 400  # families: a table that shrank unseen would be fast
_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of one text: microseconds for reading (walk and views), and for all detection."""

    reading: float
    whole: float


class Meter:
    """Measures what texts cost, without any cache."""

    def __init__(self, detection: Detection) -> None:
        self._chain, self._views = detection.chain, build_views()

    async def cost(self, content: str, *, alone: bool = False) -> Cost:
        """Return what a text costs; `alone`: without a look at what its reading costs."""
        body = {"model": "bench", "messages": [{"role": "user", "content": content}]}
        times = [time.thread_time()]
        segments = CODEC.segments(body, Direction.REQUEST).segments
        times.append(time.thread_time())
        for segment in [] if alone else segments:
            self._views.build(segment)
        times.append(time.thread_time())
        await self._chain.inspect(segments, InspectionOptions())
        times.append(time.thread_time())
        walked, read, inspected = (later - one for one, later in pairwise(times))
        return Cost((walked + read) * 1e6, (walked + inspected) * 1e6)

    async def ratio(self, content: str, plain: str, rounds: int) -> float:
        """Return how many times `plain` a text costs: both in turn, so that a machine's moods meet both."""
        costs = [(await self.cost(content, alone=True), await self.cost(plain, alone=True)) for _ in range(rounds)]
        return median(hostile.whole / english.whole for hostile, english in costs)


async def compare(meter: Meter, size: int, rounds: int) -> bool:
    """Measure every family of a size beside plain English; print the worst. Return whether the bars are held."""
    plain = text(size, 7)
    english = [await meter.cost(plain) for _ in range(200)]
    reading, whole = median(cost.reading for cost in english), median(cost.whole for cost in english)
    ratios = [(await meter.ratio(content, plain, rounds), name) for name, content in families(size)]
    ratios.sort(reverse=True)
    beyond = sum(ratio > RATIO_BAR for ratio, _ in ratios)
    print(
        f"{size} B of plain English: walk and views {reading:.0f} us (bar {READING_BARS[size]:.0f}), detection "
        f"{whole:.0f} us; {len(ratios)} hostile families, times that: worst {ratios[0][0]:.1f}, median "
        f"{ratios[len(ratios) // 2][0]:.1f} (bar {RATIO_BAR:.0f}; {beyond} beyond it)"
    )
    for ratio, name in ratios[:_SHOWN]:
        print(f"  {ratio:6.1f}  {name}")
    assert len(ratios) >= LEAST
    return reading <= READING_BARS[size] * SLACK and ratios[0][0] <= RATIO_BAR * SLACK


async def stall(detection: Detection, base_url: str, folder: Path, rounds: int) -> bool:
    """Send each large body a few times; print the longest wait of the best round. Return whether the bar is held."""
    held = True
    async with served(folder, detection, base_url) as port:
        for name, make in large_bodies().items():
            body = make()
            seen = [await longest_wait(port, body) for _ in range(rounds)]
            wait, seconds, status = min(seen)
            held = held and wait <= STALL_BAR * SLACK
            told = "" if wait <= STALL_BAR else " MISSED"
            print(
                f"  {name:<18} {len(body) / 1e6:.1f} MB: others wait {wait * 1e3:5.1f} ms{told}, "
                f"answer {status} in {seconds:.2f} s",
                flush=True,
            )
    return held


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    quick = parser.parse_args(arguments).quick
    rounds = 3 if quick else 9
    print(f"{platform.machine()}, {psutil.cpu_count()} cores, Python {platform.python_version()}; median of {rounds}")
    detection = load_detection()
    detection = replace(detection, chain=build_chain(detection.rules))  # nothing is known from the round before
    run_as_a_worker()
    meter = Meter(detection)
    held = [asyncio.run(compare(meter, size, rounds)) for size in READING_BARS]
    print(f"bodies of a megabyte, screened on both ways (bar {STALL_BAR * 1e3:.0f} ms):")
    with tempfile.TemporaryDirectory(prefix="ps-hostile-") as name, upstream(echo) as base_url:
        held.append(uvloop.run(stall(detection, base_url, Path(name), 2 if quick else 5)))
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
