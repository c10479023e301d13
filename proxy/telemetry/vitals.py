"""What a worker says of itself once a second: how full, how large, how late, and by which policies it decides."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from detectors.words import BreakerState
from policies.types import Policy
from proxy.certificate import Certificate
from proxy.overload import Room
from proxy.telemetry.metrics import WorkerMetrics

_PROC: Final = Path("/proc/self")
_LOOKED_AT_EVERY: Final = 0.1  # seconds between two looks at the loop's clock


class Vitals:
    """One worker's account of itself, told to its metrics."""

    def __init__(self, metrics: WorkerMetrics, number: int, room: Room, certificate: Certificate | None = None) -> None:
        self._metrics, self._worker, self._room = metrics, (str(number),), room
        self._certificate = certificate
        self._spent = 0.0  # CPU seconds told so far; what it took to start is told with the first
        self._ends: dict[str, tuple[date, ...]] = {}

    def tell(self) -> None:
        """Say how things stand now, a certificate that has just been replaced among them."""
        metrics, room = self._metrics, self._room
        if self._certificate is not None:
            self._certificate.refresh()
            metrics.gauge("promptshield_certificate_expiry_timestamp_seconds", self._certificate.expires)
        spent = time.process_time()
        metrics.count("promptshield_worker_cpu_seconds_total", (), spent - self._spent)
        self._spent = spent
        metrics.gauge("promptshield_in_flight_exchanges", room.exchanges)
        metrics.gauge("promptshield_in_flight_limit", room.most_exchanges)
        metrics.gauge("promptshield_held_bytes", room.size)
        metrics.gauge("promptshield_worker_tasks", len(asyncio.all_tasks()), self._worker)
        if sys.platform == "linux":
            with suppress(OSError):  # clients have taken the last descriptor, and a look takes one
                pages = int((_PROC / "statm").read_text().split()[1])
                metrics.gauge("promptshield_worker_resident_bytes", pages * os.sysconf("SC_PAGE_SIZE"), self._worker)
                metrics.gauge("promptshield_worker_open_files", len(os.listdir(_PROC / "fd")), self._worker)

    def tell_policies(self, policies: Mapping[str, Policy], failed: int) -> None:
        """Say which revisions are in force, how many files do not load, and when exclusions end."""
        self._metrics.gauge("promptshield_policy_reload_failed", failed)
        today, known = datetime.now(UTC).date(), self._ends
        self._ends = {p.revision: known.get(p.revision) or _ends(p) for p in policies.values()}
        for name, policy in policies.items():
            self._metrics.gauge("promptshield_policy_info", 1, (name, policy.revision))
            coming = next((day for day in self._ends[policy.revision] if day >= today), None)
            if coming is not None:
                self._metrics.gauge("promptshield_exclusion_expiry_timestamp_seconds", _end_of(coming), (name,))

    def tell_breakers(self, states: Mapping[str, BreakerState]) -> None:
        """Say the state of each judge's breaker."""
        for model, state in states.items():
            self._metrics.gauge("circuit_breaker_state", 1, (model, state))

    async def watch_loop(self) -> None:
        """Note until cancelled how late the event loop is."""
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + _LOOKED_AT_EVERY
            await asyncio.sleep(_LOOKED_AT_EVERY)
            self._metrics.observe("promptshield_event_loop_lag_seconds", (), max(0.0, clock() - due))


def _ends(policy: Policy) -> tuple[date, ...]:
    return tuple(sorted({exclusion.until for exclusion in policy.exclusions}))


def _end_of(day: date) -> float:
    """Return the moment (epoch seconds) at which an exclusion until and including `day` (UTC) ends."""
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC).timestamp()
