"""One thread beside the event loop, of a process's own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

Result = TypeVar("Result")


class LoneThread:
    """Started when it is first needed, and anew after a fork, which leaves threads behind: whatever was given to the
    old one there would wait for ever.
    """

    def __init__(self, name: str, beginning: Callable[[], None] | None = None) -> None:
        self._name: Final = name
        self._beginning = beginning
        self._start()

    async def run(self, work: Callable[[], Result]) -> Result:
        """Return what `work` returns. A caller that is cancelled waits no longer; work that had begun runs out."""
        if self._process != os.getpid():
            self._start()
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _start(self) -> None:
        self._process = os.getpid()
        self._thread = ThreadPoolExecutor(1, self._name, initializer=self._beginning)
