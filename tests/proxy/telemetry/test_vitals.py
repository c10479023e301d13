"""What a worker says of itself: its room, its size, the lateness of its loop, its policies."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from policies.types import Policy
from proxy.overload import Room
from proxy.telemetry.metrics import WorkerMetrics
from proxy.telemetry.vitals import Vitals

MakePolicy = Callable[..., Policy]


def said(metrics: WorkerMetrics) -> dict[tuple[str, ...], Any]:
    rows = [row for datagram in metrics.take() for row in orjson.loads(datagram)["rows"]]
    return {(row[1], *row[2]): row[3] for row in rows if row[0] != "b"}


async def test_a_worker_says_how_full_and_how_large_it_is() -> None:
    metrics, room = WorkerMetrics(3), Room(10, 1000)
    room.take("acme", 70)
    Vitals(metrics, 3, room).tell()

    found = said(metrics)
    assert [found[f"promptshield_{name}",] for name in ("in_flight_exchanges", "in_flight_limit", "held_bytes")] == [
        1, 10, 70
    ]  # fmt: skip
    assert found["promptshield_worker_resident_bytes", "3"] > 1 << 20
    assert found["promptshield_worker_open_files", "3"] > 2


async def test_a_worker_without_a_descriptor_left_says_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = WorkerMetrics(0)
    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", _no_more_files)
        Vitals(metrics, 0, Room(1, 1)).tell()

    assert said(metrics)["promptshield_in_flight_limit",] == 1


def _no_more_files(_: Path) -> None:
    raise OSError(errno.EMFILE, "Too many open files")


async def test_cpu_time_is_told_once() -> None:
    metrics = WorkerMetrics(0)
    vitals = Vitals(metrics, 0, Room(1, 1))
    vitals.tell()
    first = said(metrics)["promptshield_worker_cpu_seconds_total",]
    vitals.tell()

    assert said(metrics)["promptshield_worker_cpu_seconds_total",] < first


async def test_a_loop_that_is_kept_busy_is_late() -> None:
    metrics = WorkerMetrics(0)
    watching = asyncio.ensure_future(Vitals(metrics, 0, Room(1, 1)).watch_loop())
    await asyncio.sleep(0)
    until = datetime.now(UTC) + timedelta(seconds=0.12)
    while datetime.now(UTC) < until:
        pass
    await asyncio.sleep(0.005)
    watching.cancel()

    assert said(metrics)["promptshield_event_loop_lag_seconds",][-2] > 0.01


def test_the_next_exclusion_to_end_is_told_by_its_policy(make_policy: MakePolicy) -> None:
    metrics = WorkerMetrics(0)
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=1), today + timedelta(days=9), today + timedelta(days=2)]
    lines = "".join(
        f"- {{rule: PS-INJ-001, origin: user, until: {d}, owner: ops-acme, reason: for a while}}\n" for d in days
    )
    Vitals(metrics, 0, Room(1, 1)).tell_policies({"acme": make_policy(f"exclusions:\n{lines}")}, 1)

    found = said(metrics)
    end = datetime.combine(today + timedelta(days=3), datetime.min.time(), UTC).timestamp()
    assert found["promptshield_exclusion_expiry_timestamp_seconds", "acme"] == end
    assert found["promptshield_policy_reload_failed",] == 1
