"""What policies cost: one decision, one condition, and a thousand tenants' files."""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from detectors.build import build_chain
from detectors.chain import Inspection
from detectors.rules import load_signatures
from detectors.types import (
    Category,
    Coverage,
    Direction,
    Finding,
    Hit,
    Kind,
    Origin,
    Place,
    SegmentRef,
    Severity,
    Span,
)
from policies.build import build_actions
from policies.conditions import compile_condition
from policies.engine import decide
from policies.facts import Facts
from policies.folders import PolicyFolders
from policies.loader import load_policy_text
from policies.situation import WORDS
from policies.store import PolicyStore

TENANTS = 1000
CONDITION = 'confidence > 0.5 && model.startsWith("gpt") && !(app in ["a", "b"]) && hour >= 6'
TENANT = """
extends: [preset/standard, _common/europe.yaml]
limits: {{requests: {n}/min}}
rules:
- {{id: own-{n}, when: {{category: pii, kind: IBAN}}, action: mask}}
- id: nights
  when: {{category: jailbreak, time: {{from: "22:00", to: "06:00"}}}}
  if: 'app != "x{n}"'
  action: block
exclusions:
- {{rule: PS-INJ-001, origin: system, until: 2099-01-01, owner: a@b.example, reason: quoted}}
"""


def main() -> None:
    rules = "\n".join(
        f"- {{id: r{n}, when: {{category: {list(Category)[n % 11]}, min_confidence: {0.3 + n / 60:.2f}"
        f"{', kind: [X, EMAIL]' if n % 3 == 0 else ''}}}, action: {['flag', 'mask'][n % 2]}}}"
        for n in range(30)
    )
    policy, actions = load_policy_text(f"rules:\n{rules}\n", Path("bench.yaml"), "bench").policy, build_actions()
    inspection = Inspection(tuple(_finding(n) for n in range(10)), (), Coverage(scanned=1))
    facts = Facts(at=1_800_000_000.0, model="gpt-4o", network="10.1.1.1")
    print(f"decide, 30 rules, 10 findings  {_least(lambda: decide(policy, inspection, facts, 'r', actions)):6.1f} us")
    condition = compile_condition(CONDITION)
    values = {name: WORDS[name] for name in condition.names}
    print(f"one condition                  {_least(lambda: condition.holds(values)):6.1f} us")
    asyncio.run(_load())


def _finding(n: int) -> Finding:
    category = (Category.PII, Category.CREDENTIAL, Category.PROMPT_INJECTION)[n % 3]
    hit = Hit(f"PS-{n}", "EMAIL", category, Severity.MEDIUM, 0.9 - 0.04 * n, Span(n * 9, n * 9 + 5), (), "found")
    where = SegmentRef(Direction.REQUEST, Origin.USER, Kind.TEXT, Place.VALUE, f"/{n}", "")
    return Finding(hit, where, "bench")


def _least(work: Callable[[], object], times: int = 40) -> float:
    """Microseconds of the fastest of two hundred rounds: whatever else runs here only makes it slower."""
    rounds = []
    for _ in range(200):
        started = time.perf_counter()
        for _ in range(times):
            work()
        rounds.append((time.perf_counter() - started) / times)
    return min(rounds) * 1e6


async def _load() -> None:
    chain, actions = build_chain(load_signatures()), build_actions()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "_common").mkdir()
        shared = "\n".join(f"- {{id: eu-{n}, when: {{category: pii, kind: K{n}}}, action: mask}}" for n in range(20))
        (folder / "_common/europe.yaml").write_text(f"rules:\n{shared}\n")
        for n in range(TENANTS):
            (folder / f"tenant-{n}.yaml").write_text(TENANT.format(n=n + 1))
        gc.collect()
        before, store = psutil.Process().memory_info().rss, PolicyStore(PolicyFolders(folder), chain, actions, ())
        started, spent = time.perf_counter(), time.process_time()
        await store.load()
        took, cpu = time.perf_counter() - started, time.process_time() - spent
        grown = (psutil.Process().memory_info().rss - before) / 1e6
        print(f"{TENANTS} tenants' policies         {took:6.2f} s ({cpu:.2f} s of CPU), {grown:.1f} MB")
        (folder / "tenant-5.yaml").write_text(TENANT.format(n=9999))
        started = time.perf_counter()
        report = await store.reload()
        took = (time.perf_counter() - started) * 1000
        print(f"one of them changed            {took:6.1f} ms, loaded {', '.join(report.loaded)}")


if __name__ == "__main__":
    main()
