"""Long work beside the event loop: one thread that reads large bodies while the loop goes on answering others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from detectors.lone_thread import LoneThread
from detectors.types import Segment

Result = TypeVar("Result")

# What takes the loop less than some 10 ms stays on it: a hop to the thread and back costs 0.1 ms, and waits its turn.
LONG_TEXT: Final = 64 << 10  # characters in all
MANY_SEGMENTS: Final = 500
FINDING: Final = LONG_TEXT // MANY_SEGMENTS  # characters that take about as long as one finding


class Aside:
    """One thread for work that would hold up the loop.

    One is enough: two of them would only take the interpreter's lock from each other, and pattern matching alone,
    which needs no lock, is the smaller part.
    """

    def __init__(self) -> None:
        self._thread = LoneThread("ps-aside")

    async def run(self, work: Callable[[], Result]) -> Result:
        """Return what `work` returns. A caller that is cancelled waits no longer; work that had begun runs out."""
        return await self._thread.run(work)

    async def run_if_long(self, size: int, work: Callable[[], Result]) -> Result:
        """Return what `work` over `size` bytes or characters returns, done at once if it takes no time worth a hop."""
        return work() if size < LONG_TEXT else await self.run(work)

    def for_reading(self, segments: Sequence[Segment]) -> Aside | None:
        """Return where these segments are to be read: None is on the loop, where it takes no time worth a hop."""
        if len(segments) < MANY_SEGMENTS and sum([len(segment.text) for segment in segments]) < LONG_TEXT:
            return None
        return self
