"""The signals that a supervisor takes one by one, when it looks for them."""

from __future__ import annotations

import signal
from typing import Final

ENDING: Final = frozenset({signal.SIGTERM, signal.SIGINT})
SIGNALS: Final = ENDING | {signal.SIGCHLD, signal.SIGHUP}


def keep_signals() -> None:
    """Let signals wait until somebody takes them, for this thread and for those that it starts from now on.

    A thread that a library started before would let them through, and one that nobody takes ends the process.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def is_asked_to_end() -> bool:
    """Tell whether a signal waits that asks for the end."""
    return bool(signal.sigpending() & ENDING)
