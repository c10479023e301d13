"""Judges that fall, stall, refuse or talk nonsense, under load: what happens to those who need them, and to the rest.

Two tenants share a product of two workers. One has every text judged; the other has no judge at all, and its p95 is
held against that of the same round while judges were well.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

import aiohttp

from tests.harness import Product, Recorder, Script
from tests.judge_models import failing, openrouter, ruling, saying, slow

_DEADLINE: Final = 1.0  # seconds
_SLACK: Final = 1.0  # seconds that an answer may be late here, where the load, both workers and all judges share cores
_SECONDS: Final = 2.0  # of one phase
_THRESHOLD: Final = 5
_WELL: Final = openrouter(ruling("none", 0.9))
_DAYS: Final[Mapping[str, Script]] = {
    "well": _WELL,
    "down": failing(503),
    "slow": slow(30, _WELL),
    "429": failing(429),
    "garbage": openrouter(saying("I am sure that it is fine.")),
}
_EXTRA: Final = """judges:
- name: ours
  endpoint: '{url}/judge'
  model: m
  allow_networks: [127.0.0.0/8]
  timeout: 1.2
  breaker: {{recovery: 1}}
"""
_POLICY: Final = f"extends: preset/standard\njudges: {{always: {{origin: user}}, deadline: {_DEADLINE}}}\n"
_JUDGE: Final = "/v1/judge/chat/completions"
_UPSTREAM: Final = "/v1/chat/completions"


@dataclass(slots=True)
class Phase:
    """What one phase showed: times without judges, times and statuses with them, and what was asked of whom."""

    others: list[float] = field(default_factory=list)
    judged: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    forwarded: int = 0
    asked: int = 0

    @property
    def p95(self) -> float:
        return sorted(self.others)[int(len(self.others) * 0.95)]


async def _ask(session: aiohttp.ClientSession, url: str, key: str, text: str) -> tuple[int, float]:
    body = {"model": "scripted", "messages": [{"role": "user", "content": text}]}
    started = time.perf_counter()
    async with session.post(f"{url}/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"}) as answer:
        await answer.read()
        return answer.status, time.perf_counter() - started


async def _heal(product: Product) -> None:
    """Return once the breaker has closed again in both workers."""
    # Each time another connection, since each worker has its own.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        good = 0
        while good < 16:
            status, _ = await _ask(session, product.url, product.key, f"And now about {secrets.token_hex(4)}, please?")
            good = good + 1 if status == 200 else 0
            await asyncio.sleep(0.05)


async def _phase(product: Product, recorder: Recorder, other_key: str, script: Script) -> Phase:
    recorder.scripts[_JUDGE] = _WELL
    await _heal(product)
    phase, end = Phase(), time.monotonic() + _SECONDS
    recorder.received.clear()
    recorder.scripts[_JUDGE] = script
    mark = f"on list {secrets.randbelow(10**6)}"  # of texts in which nothing but a judge could see an attack

    async def others(session: aiohttp.ClientSession) -> None:
        while time.monotonic() < end:
            _, seconds = await _ask(session, product.url, other_key, f"What is new, {secrets.token_hex(4)}?")
            phase.others.append(seconds)
            await asyncio.sleep(0.01)

    async def judged(session: aiohttp.ClientSession) -> None:
        while time.monotonic() < end:
            text = f"What would you say of order {secrets.randbelow(10**8)} {mark}?"
            status, seconds = await _ask(session, product.url, product.key, text)
            phase.judged.append(seconds)
            phase.statuses.append(status)
            await asyncio.sleep(0.02)

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(others(session))
            group.create_task(judged(session))
    phase.asked = sum(received.path == _JUDGE for received in recorder.received)
    marked = [received for received in recorder.received if mark.encode() in received.body]
    phase.forwarded = sum(received.path == _UPSTREAM for received in marked)
    await asyncio.sleep(2.5)  # what was begun ends, and the breaker may close
    return phase


def main(rounds: int) -> int:
    with tempfile.TemporaryDirectory(prefix="ps-judges-", ignore_cleanup_errors=True) as name, Recorder() as recorder:
        folder = Path(name)
        folder.chmod(0o755)
        recorder.scripts[_JUDGE] = _WELL
        extra = _EXTRA.format(url=recorder.url)
        with Product(folder / "data", upstream=recorder.url, extra=extra) as product:
            product.run("tenant", "create", "unjudged")
            other_key = product.run("key", "create", "unjudged").stdout.split()[-1]
            product.policy(_POLICY)
            days = asyncio.run(_all(product, recorder, other_key, rounds))
            metrics = asyncio.run(_metrics(product))
    return _report(days, metrics)


async def _all(product: Product, recorder: Recorder, other_key: str, rounds: int) -> Mapping[str, list[Phase]]:
    days: dict[str, list[Phase]] = {day: [] for day in _DAYS}
    await _phase(product, recorder, other_key, _WELL)  # everything is loaded and compiled
    for _ in range(rounds):
        for day, script in _DAYS.items():
            days[day].append(await _phase(product, recorder, other_key, script))
    return days


async def _metrics(product: Product) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{product.control_url}/metrics") as answer:
        return await answer.text()


def _report(days: Mapping[str, list[Phase]], metrics: str) -> int:
    failed = 0
    for day, phases in days.items():
        ratio = median(phase.p95 / well.p95 for phase, well in zip(phases, days["well"], strict=True))
        slowest = max(seconds for phase in phases for seconds in phase.judged)
        statuses = sorted({status for phase in phases for status in phase.statuses})
        forwarded, asked = (sum(getattr(phase, what) for phase in phases) for what in ("forwarded", "asked"))
        wanted = [200] if day == "well" else [503]
        # Trials of a phase: the first failures, and one each second once the breaker is open.
        most = sum(_THRESHOLD + 8 for _ in phases) if day != "well" else asked
        good = ratio <= 1.25 and slowest <= _DEADLINE + _SLACK and statuses == wanted and asked <= most
        good = good and (day == "well" or forwarded == 0)
        failed += not good
        print(
            f"{'ok  ' if good else 'FAIL'} judges {day:<8} others' p95 x{ratio:.2f}, judged {statuses} within "
            f"{slowest:.2f} s, {forwarded} forwarded, {asked} calls in {len(phases)} rounds"
        )
    opened = 'circuit_breaker_failures_total{model="ours"}' in metrics
    print(f"{'ok  ' if opened else 'FAIL'} failures are counted by judge")
    return failed + (not opened)


if __name__ == "__main__":
    sys.exit(1 if main(2 if "--quick" in sys.argv else 5) else 0)
