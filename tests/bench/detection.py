"""Detection alone: the chain over one text, each text new, in one thread."""

from __future__ import annotations

import asyncio
import statistics
import time

from detectors.chain import InspectionOptions
from detectors.types import Origin
from policies.testing import text_segment
from proxy.app import load_detection
from tests.bench.bodies import text

BARS = {200: 300.0, 8192: 1500.0}  # microseconds of CPU


def measure(rounds: int, count: int) -> dict[int, list[float]]:
    """Return, for each size in characters, microseconds of CPU a text, one figure for each round."""
    chain = load_detection().chain

    async def one_round(size: int, first: int) -> float:
        segments = [text_segment(text(size, number), Origin.USER) for number in range(first, first + count)]
        started = time.process_time()
        for segment in segments:
            await chain.inspect([segment], InspectionOptions())
        return (time.process_time() - started) / count * 1e6

    return {size: [asyncio.run(one_round(size, 1000 * n)) for n in range(rounds)] for size in BARS}


def report(rounds: int, count: int, slack: float) -> bool:
    """Print the table; return whether every bar (times `slack`) holds."""
    held = True
    for size, figures in measure(rounds, count).items():
        median, bar = statistics.median(figures), BARS[size] * slack
        held = held and median <= bar
        spread = f"{min(figures):.0f} to {max(figures):.0f}"
        print(f"detection alone, {size} B: {median:.0f} us CPU ({spread}; bar {bar:.0f})")
    return held
