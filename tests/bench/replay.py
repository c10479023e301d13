"""`make bench-replay`: a million recorded decisions decided again by another policy, read from a private Postgres."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from policies.loader import load_policy_text, load_preset
from policies.recorded import Catalogue
from policies.replay import Replay
from proxy.app import load_detection
from proxy.recorded_traffic import Traffic
from storage.postgres import Database
from storage.tenants import TenantStore
from tests.bench.store_queries import bench_database
from tests.bench.store_rows import DAYS

SECONDS: Final = 60.0  # for a million
_BY_CONTENT: Final = """
extends: preset/strict
exclusions:
  - {rule: PS-INJ-001, content: "hmac:0123456789abcdef0123456789abcdef", until: 2999-01-01, owner: sec, reason: bench}
"""


async def run(rows: int) -> bool:
    detection = load_detection()
    catalogue = Catalogue.of(detection.rules)
    policies = {
        "preset/strict": load_preset("preset/strict").policy,
        "with an exclusion by content": load_policy_text(_BY_CONTENT, Path("bench.yaml"), "bench").policy,
    }
    held = True
    async with bench_database(rows) as (database, _):
        for name, policy in policies.items():
            started, cpu = time.perf_counter(), time.process_time()
            replay = Replay(policy, catalogue, detection.actions)
            await _replay(database, replay)
            took, cpu, tally = time.perf_counter() - started, time.process_time() - cpu, replay.tally
            million = took * 1_000_000 / tally.decisions
            price = f"{cpu * 1_000_000 / tally.decisions:.1f} us of CPU each"
            speed = f"{took:.1f} s ({million:.1f} s a million, bar {SECONDS:g} s; {price})"
            changes = f"{tally.newly_blocked} newly blocked, {tally.undecidable} undecidable"
            print(f"{name}: {tally.decisions} decisions in {speed}; {changes}")
            held = held and million <= SECONDS
    return held


async def _replay(database: Database, replay: Replay) -> None:
    since = datetime.now(UTC) - timedelta(DAYS + 1)
    for tenant in await TenantStore(database).list():
        async for recorded in Traffic(tenant.slug, None, since).rows(database):
            replay.take(recorded)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    return 0 if asyncio.run(run(parser.parse_args().rows)) else 1


if __name__ == "__main__":
    sys.exit(main())
