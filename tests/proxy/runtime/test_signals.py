"""Signals wait for who takes them, whichever thread could have got them."""

from __future__ import annotations

import subprocess
import sys

WAITING = """
import os, signal, threading
from proxy.runtime.signals import is_asked_to_end, keep_signals

keep_signals()
threading.Thread(target=threading.Event().wait, daemon=True).start()
os.kill(os.getpid(), signal.SIGHUP)
print(is_asked_to_end())
os.kill(os.getpid(), signal.SIGTERM)
print(is_asked_to_end(), flush=True)
os._exit(0)
"""


def test_a_signal_waits_also_where_there_are_threads() -> None:
    assert subprocess.check_output([sys.executable, "-c", WAITING], text=True) == "False\nTrue\n"
