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
from policies.replay import Tally
from policies.types import Policy
from proxy.app import Detection, load_detection
from proxy.recorded_traffic import Traffic, tally_of
from storage.postgres import Database
from storage.tenants.tenants import TenantStore
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
    policies = {
        "preset/strict": load_preset("preset/strict").policy,
        "with an exclusion by content": load_policy_text(_BY_CONTENT, Path("bench.yaml"), "bench").policy,
    }
    held = True
    async with bench_database(rows) as (database, _):
        for name, policy in policies.items():
            started, cpu = time.perf_counter(), time.process_time()
            tally = await _replayed(database, policy, detection)
            took, cpu = time.perf_counter() - started, time.process_time() - cpu
            million = took * 1_000_000 / tally.decisions
            price = f"{cpu * 1_000_000 / tally.decisions:.1f} us of CPU each"
            speed = f"{took:.1f} s ({million:.1f} s a million, bar {SECONDS:g} s; {price})"
            changes = f"{tally.newly_blocked} newly blocked, {tally.undecidable} undecidable"
            print(f"{name}: {tally.decisions} decisions in {speed}; {changes}")
            held = held and million <= SECONDS
    return held


async def _replayed(database: Database, policy: Policy, detection: Detection) -> Tally:
    since, whole = datetime.now(UTC) - timedelta(DAYS + 1), Tally()
    for tenant in await TenantStore(database).list():
        tally = await tally_of(policy, detection, Traffic(tenant.slug, None, since), database)
        whole.decisions += tally.decisions
        whole.newly_blocked += tally.newly_blocked
        whole.undecidable += tally.undecidable
    return whole


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    return 0 if asyncio.run(run(parser.parse_args().rows)) else 1


if __name__ == "__main__":
    sys.exit(main())
