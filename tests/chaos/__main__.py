"""`make chaos`: load of two tenants under a seeded schedule of faults, then the invariants. Exit 1 if one is broken.

The seed is printed and can be given back with `--seed`; `--seconds` is how long the load lasts.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random  # noqa: TID251 - a schedule that can be repeated
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.chaos.faults import Moment, schedule
from tests.chaos.invariants import broken, chain_problems, stored_when_settled
from tests.chaos.traffic import STREAMED, Ledger, send
from tests.harness import Product, Recorder, streamed

PAUSE = 3.0  # seconds between two faults, about
AT_ONCE = 16
SETTLING = 45.0


def main() -> int:
    options = _options()
    print(f"seed {options.seed}, {options.seconds:g} s of load")
    with tempfile.TemporaryDirectory(prefix="ps-chaos-", ignore_cleanup_errors=True) as name, Recorder() as recorder:
        Path(name).chmod(0o755)
        recorder.scripts[STREAMED] = streamed(*["so many words in the end "] * 20, pause=0.01)
        with Product(Path(name) / "data", upstream=recorder.url) as product:
            keys = _tenants(product)
            moments = schedule(options.seed, options.seconds, PAUSE)
            ledger = asyncio.run(_run(product, keys, moments, options.seconds))
            stored = stored_when_settled(product, ledger, SETTLING)
            problems = [*broken(ledger, stored), *chain_problems(product)]
    kinds = Counter(moment.fault.name for moment in moments)
    print(f"faults: {', '.join(f'{count} x {kind}' for kind, count in sorted(kinds.items()))}")
    interrupted = sum(row.outcome == "interrupted" for row in stored.rows)
    print(
        f"{len(ledger.offered)} offered, {len(ledger.answered)} answered, {len(ledger.broken)} broken off, "
        f"{len(ledger.unidentified)} told that keys cannot be checked; "
        f"{len(stored.rows)} rows ({interrupted} interrupted)"
    )
    for problem in problems:
        print(f"BROKEN: {problem}")
    if not problems:
        print("answered is logged, once, under its tenant; sums are the rows'; the chain holds")
    return 1 if problems else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--seconds", type=float, default=60)
    return parser.parse_args()


def _tenants(product: Product) -> Mapping[str, str]:
    """Make a second tenant beside the demo; return the key of each. Both block attacks and know no rate limit."""
    product.run("tenant", "create", "globex")
    key = product.run("key", "create", "globex").stdout.split()[-1]
    for tenant in ("demo", "globex"):
        product.policy("extends: preset/standard\n", tenant)
    return {"demo": product.key, "globex": key}


async def _run(product: Product, keys: Mapping[str, str], moments: Sequence[Moment], seconds: float) -> Ledger:
    """Send until the time is up, and let each fault happen at its moment."""
    stop, ledger = asyncio.Event(), Ledger()
    async with asyncio.TaskGroup() as group:
        group.create_task(send(product, keys, _until(stop), AT_ONCE, ledger))
        started = time.monotonic()
        for number, moment in enumerate(moments):
            await asyncio.sleep(max(0.0, started + moment.at - time.monotonic()))
            # Drawn apart for each, so that how long one takes does not change what the next one does.
            await moment.fault.act(product, random.Random(number))  # noqa: S311
        await asyncio.sleep(max(0.0, started + seconds - time.monotonic()))
        stop.set()
    return ledger


def _until(stop: asyncio.Event) -> Iterator[int]:
    return itertools.takewhile(lambda _: not stop.is_set(), itertools.count())


if __name__ == "__main__":
    sys.exit(main())
