"""`make prove`: the five promises, one line with figures each. Exit 1 if one does not hold."""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from tests.harness import Product, Recorder
from tests.prove import faults, forwarding, isolation, survival

Proof = Callable[[Product, Recorder], str]
PROOFS: tuple[tuple[str, Proof], ...] = (
    ("P1 nothing is forwarded that was not scanned", forwarding.nothing_unscanned),
    ("P2 what was scanned is what is sent", forwarding.same_bytes),
    ("P3 every answered request has exactly one decision row", survival.one_row_each),
    ("P4 a detector that fails never means allow", lambda p, r: asyncio.run(faults.never_allow(p, r))),
    ("P5 one tenant never sees another's", isolation.nothing_shared),
)


def main() -> int:
    broken = 0
    # The faults of P4 are meant to be logged, but five lines are five lines.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory(prefix="ps-prove-", ignore_cleanup_errors=True) as name, Recorder() as recorder:
        Path(name).chmod(0o755)
        with Product(Path(name) / "data", upstream=recorder.url) as product:
            for title, proof in PROOFS:
                recorder.received.clear()
                started = time.monotonic()
                try:
                    said = proof(product, recorder)
                except AssertionError as exc:
                    broken += 1
                    said = f"BROKEN: {exc}"
                print(f"{title}: {said} ({time.monotonic() - started:.1f} s)", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
