"""P3: workers and the shipper killed, Postgres frozen and killed, under load; then answers are held against rows."""

from __future__ import annotations

import asyncio
import random  # noqa: TID251 - faults, not secrets

from tests.chaos.faults import FREEZE_POSTGRES, KILL_POSTGRES, KILL_SHIPPER, KILL_WORKER
from tests.chaos.invariants import broken, chain_problems, stored_when_settled
from tests.chaos.traffic import STREAMED, Ledger, send
from tests.harness import Product, Recorder, streamed

REQUESTS, KILLS, AT_ONCE = 5000, 6, 16
OTHERS = {1: KILL_SHIPPER, 2: FREEZE_POSTGRES, 4: KILL_POSTGRES}  # beside the kill of that number
SETTLING = 20.0


def one_row_each(product: Product, recorder: Recorder) -> str:
    """No answered request without a row, no row without a request, no id twice, and a chain without a gap."""
    product.policy("extends: preset/standard\n")
    recorder.scripts[STREAMED] = streamed("so many words ", "in the end")
    ledger = Ledger()
    asyncio.run(_attack(product, ledger))
    stored = stored_when_settled(product, ledger, SETTLING)
    problems = [*broken(ledger, stored), *chain_problems(product)]
    assert not problems, "; ".join(problems)
    own = [row for row in stored.rows if row.request_id.startswith(ledger.run)]
    interrupted = sum(row.outcome == "interrupted" for row in own)
    return (
        f"{len(ledger.answered)} answered, {len(ledger.broken)} broken off by {KILLS} kills, a killed shipper and a "
        f"Postgres outage, {len(ledger.unidentified)} told that keys cannot be checked, {len(own)} rows "
        f"({interrupted} interrupted), missing 0, invented 0, double 0, chain whole"
    )


async def _attack(product: Product, ledger: Ledger) -> None:
    async with asyncio.TaskGroup() as group:
        load = group.create_task(send(product, {"demo": product.key}, iter(range(REQUESTS)), AT_ONCE, ledger))
        faults = group.create_task(_faults(product, ledger))
        await asyncio.wait([load])
        faults.cancel()


async def _faults(product: Product, ledger: Ledger) -> None:
    """Kill a random worker again and again; in between the shipper dies once, and Postgres is frozen, later killed."""
    drawing = random.Random()  # noqa: S311
    async with asyncio.TaskGroup() as group:
        for number in range(KILLS):
            while len(ledger.offered) < (number + 1) * REQUESTS // (KILLS + 2):
                await asyncio.sleep(0.02)
            for fault in (KILL_WORKER, *([OTHERS[number]] if number in OTHERS else [])):
                group.create_task(fault.act(product, drawing))
