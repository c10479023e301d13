"""`make fuzz`: seeded requests, odd by grammar and by mutation, against the running product. Exit 1 on a finding."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import uvloop

from policies.loader import load_policy
from tests.fuzz.findings import HANG_SECONDS, Account
from tests.fuzz.grammar import Case, Grammar
from tests.fuzz.wire import Reply, address_of, is_whole
from tests.harness import Product, Recorder

AT_ONCE: Final = 24
BATCH: Final = 2000
SHOWN: Final = 10
EDGE: Final = "edge: {head_idle: 0.4, body_idle: 0.4, body_total: 0.8, grace: 0.05, drain: 5}\n"
POLICY: Final = """
extends: preset/standard
models: {allow: [scripted]}
limits: {requests: 1000000/s}
rules:
  - {id: personal-data, when: {category: pii}, action: mask}
"""


async def exchange(address: tuple[str, int], raw: bytes) -> Reply:
    """Send one case whole and read one answer, or to the end of the connection."""
    started, received, hung = time.monotonic(), b"", False
    reader, writer = await asyncio.open_connection(*address)
    try:
        async with asyncio.timeout(HANG_SECONDS + 1):
            writer.write(raw)
            while not (is_whole(received) or (raw.startswith(b"HEAD") and b"\r\n\r\n" in received)):
                part = await reader.read(1 << 16)
                if not part:
                    break
                received += part
    except TimeoutError:
        hung = True
    except ConnectionError:
        pass
    writer.transport.abort()
    return Reply(received, time.monotonic() - started, hung)


async def run(product: Product, recorder: Recorder, account: Account, seed: int, most: int, seconds: float) -> int:
    """Send up to `most` cases within `seconds`; return how many it were."""
    grammar, address = Grammar(seed, product.key), address_of(product.url)
    await exchange(address, b"GET /v1/models HTTP/1.0\r\n\r\n")
    started, sent = time.monotonic(), 0
    while sent < most and time.monotonic() - started < seconds:
        cases = {sent + n + 1: grammar.case() for n in range(min(BATCH, most - sent))}
        await _send(address, cases, account)
        sent += len(cases)
        received, recorder.received[:] = list(recorder.received), []
        for one in received:
            await account.arrived(one, cases)
    return sent


async def _send(address: tuple[str, int], cases: dict[int, Case], account: Account) -> None:
    waiting = iter(cases.items())

    async def work() -> None:
        for number, case in waiting:
            reply = await exchange(address, case.raw)
            if reply.seconds > HANG_SECONDS:  # the whole machine may have stood still: a real one hangs again
                reply = await exchange(address, case.raw)
            account.answered(number, case, reply)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--requests", type=int, default=20_000)
    arguments.add_argument("--seconds", type=float, default=100.0, help="stop after so long, however many were sent")
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    chosen = arguments.parse_args()
    print(f"fuzz: seed {chosen.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="ps-fuzz-", ignore_cleanup_errors=True) as name, Recorder() as recorder:
        Path(name).chmod(0o755)
        with Product(Path(name) / "data", upstream=recorder.url, extra=EDGE) as product:
            product.policy(POLICY)
            account = Account(load_policy(product.data / "policies" / "demo.yaml", "demo").policy)
            sent = uvloop.run(run(product, recorder, account, chosen.seed, chosen.requests, chosen.seconds))
            log = product.log.read_text()
            if "Traceback" in log or "internal error" in log:
                account.findings.append("the log tells of an error of ours")
    return report(account, chosen.seed, sent, chosen.requests)


def report(account: Account, seed: int, sent: int, wanted: int) -> int:
    statuses = ", ".join(f"{count} x {status or 'closed'}" for status, count in sorted(account.statuses.items()))
    print(f"{sent} of {wanted} requests: {statuses}; the slowest took {account.slowest:.2f} s")
    print(f"{account.forwarded} bodies upstream with {account.strings} strings: read alike by three readers, and held")
    print(f"against a scan of the same body, {account.compared} of them also against what was sent")
    for finding in account.findings[:SHOWN]:
        print(finding)
    well = not account.findings and account.compared > sent // 10
    verdict = "nothing slipped past" if well else f"{len(account.findings)} findings"
    print(f"fuzz: {verdict} (seed {seed}, {sent} requests)")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
