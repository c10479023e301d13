"""A worker's judges: built from the settings, exchanged while it serves, and handed to whoever inspects a text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from detectors.judges.judge import Judge
from detectors.judges.judging import Judging
from detectors.judges.panel import Panel
from detectors.judges.types import Call, Ruling, SharedBreakers
from detectors.words import BreakerState
from policies.judging import JudgePolicy
from proxy.judging.purse import TenantPurse
from proxy.judging.settings import JudgeSettings
from proxy.judging.wire import JudgeWire
from proxy.telemetry.metrics import WorkerMetrics
from storage.types import Limits

_REST: Final = 90.0  # seconds: more than any policy's deadline
Load = Callable[[], Sequence[JudgeSettings]]


class MeteredCalls:
    """Counts calls of judges. Fills `JudgeCounts` of detectors.judges."""

    def __init__(self, metrics: WorkerMetrics) -> None:
        self._metrics = metrics

    def call(self, call: Call) -> None:
        self._metrics.count("promptshield_judge_calls_total", (call.judge, call.result))
        self._metrics.count("promptshield_judge_cost_usd_total", (call.judge,), call.cost / 1_000_000)
        if call.result.counts_against:
            self._metrics.count("circuit_breaker_failures_total", (call.judge,))
        if call.seconds:
            self._metrics.observe("promptshield_judge_seconds", (call.judge,), call.seconds)

    def agreement(self, shadow: Call, obeyed: Ruling) -> None:
        ruling = shadow.ruling
        agrees = ruling is not None and (ruling.category is None) == (obeyed.category is None)
        self._metrics.count("promptshield_judge_shadow_total", (shadow.judge, "agrees" if agrees else "differs"))


class Judges:
    """The panel in force. `load` reads the judges of the settings anew; `file` is where they stand, if anywhere."""

    def __init__(
        self,
        judges: Sequence[JudgeSettings],
        shared: SharedBreakers,
        limits: Limits,
        metrics: WorkerMetrics,
        file: Path | None = None,
        load: Load = tuple,
    ) -> None:
        self._shared, self._limits, self._counts = shared, limits, MeteredCalls(metrics)
        self._file, self._load = file, load
        self._settings = tuple(judges)
        self._panel = self._build(self._settings)
        self._stamp = _stamp(file)
        self._retiring: set[asyncio.Task[None]] = set()

    def judging(self, policy: JudgePolicy, tenant_id: int) -> Judging:
        """Return one inspection's way to the judges now in force."""
        return Judging(self._panel, policy.terms, TenantPurse(self._limits, tenant_id, policy), tenant_id)

    def states(self) -> dict[str, BreakerState]:
        return self._panel.states()

    async def reload(self) -> bool:
        """Take the judges of a changed settings file; what was asked of the old ones is still answered.

        Returns whether there are other judges now. Raises SettingsError, once for each change: the old ones stay.
        """
        stamp = await asyncio.to_thread(_stamp, self._file)
        if stamp == self._stamp or stamp is None:
            return False
        self._stamp = stamp
        settings = tuple(await asyncio.to_thread(self._load))
        if settings == self._settings:
            return False
        old, self._settings, self._panel = self._panel, settings, self._build(settings)
        task = asyncio.get_running_loop().create_task(_retire(old))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)
        return True

    async def close(self) -> None:
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        await self._panel.close()

    def _build(self, settings: Sequence[JudgeSettings]) -> Panel:
        ordered = sorted((judge for judge in settings if judge.usable), key=lambda judge: judge.priority)
        return Panel([Judge(judge.spec, JudgeWire(judge), self._shared) for judge in ordered], self._counts)


async def _retire(panel: Panel) -> None:
    """Close judges that were replaced, once nobody can be waiting for them any more."""
    try:
        await asyncio.sleep(_REST)
    finally:
        await panel.close()


def _stamp(file: Path | None) -> tuple[int, int, int] | None:
    """Return what of a file changes when it does, None where it cannot be seen just now."""
    try:
        status = file.stat() if file is not None else None
    except OSError:
        return None
    return None if status is None else (status.st_mtime_ns, status.st_ino, status.st_size)
