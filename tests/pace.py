"""How slow a machine is: `python -m tests.pace SECONDS` prints what a budget of so many seconds comes to here.

Budgets are for a machine that makes a million strings and keeps them in a dict in PACE seconds: what tests wait for is
memory rather than arithmetic. One that is slower gets more time in proportion, so that what fails is what became slow,
not the machine; a faster one gets no less.
"""

from __future__ import annotations

import sys
import time
from typing import Final

PACE: Final = 0.45
MOST: Final = 3.0  # times a budget
_KEPT: Final = 1_000_000


def slowness() -> float:
    """Return how many times slower than the budgets' machine this one is, at least 1."""
    return min(max(_keep() / PACE, 1.0), MOST)


def _keep() -> float:
    began = time.thread_time()
    kept = {}
    for number in range(_KEPT):
        kept[str(number)] = number
    return time.thread_time() - began


if __name__ == "__main__":
    sys.stdout.write(f"{float(sys.argv[1]) * slowness():.0f}\n")
