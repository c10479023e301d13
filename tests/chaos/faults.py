"""What goes wrong, each as one small act on the running product, and a schedule of them out of one seed."""

from __future__ import annotations

import asyncio
import os
import random  # noqa: TID251 - a schedule that can be repeated
import signal
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

import psutil

from tests.harness import Product

OUTAGE = 60.0  # seconds
LONG_RUN = 600.0
Act = Callable[[Product, random.Random], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """An act, and how often it is drawn beside the others."""

    name: str
    act: Act
    weight: int


@dataclass(frozen=True, slots=True)
class Moment:
    """When, in seconds from the start of the load, and what."""

    at: float
    fault: Fault


def schedule(seed: int, seconds: float, pause: float) -> tuple[Moment, ...]:
    """Return the faults of a run, about one every `pause` seconds: the same for the same seed. Every kind comes, but
    for an outage of a minute in a run that is hardly longer.
    """
    drawing = random.Random(seed)  # noqa: S311
    kinds = [*FAULTS, *([LONG_OUTAGE] if seconds > LONG_RUN else [])]
    drawing.shuffle(kinds)
    moments, at = [], pause / 2
    while at < seconds - pause:
        fault = kinds.pop() if kinds else drawing.choices(FAULTS, [fault.weight for fault in FAULTS])[0]
        moments.append(Moment(at, fault))
        at += pause * drawing.uniform(0.5, 1.5)
    return tuple(moments)


async def _kill_worker(product: Product, drawing: random.Random) -> None:
    _signal(_one_of(product.worker_pids(), drawing), signal.SIGKILL)


async def _kill_all_workers(product: Product, _drawing: random.Random) -> None:
    for pid in product.worker_pids():
        _signal(pid, signal.SIGKILL)


async def _end_worker(product: Product, drawing: random.Random) -> None:
    _signal(_one_of(product.worker_pids(), drawing), signal.SIGTERM)


async def _freeze_worker(product: Product, drawing: random.Random) -> None:
    await _freeze(_one_of(product.worker_pids(), drawing), drawing.uniform(0.2, 1.5))


async def _kill_shipper(product: Product, _drawing: random.Random) -> None:
    _signal(product.control_pid(), signal.SIGKILL)


async def _freeze_shipper(product: Product, drawing: random.Random) -> None:
    await _freeze(product.control_pid(), drawing.uniform(0.5, 3))


async def _kill_postgres(product: Product, _drawing: random.Random) -> None:
    _signal(_engine(product, "postgres"), signal.SIGKILL)


async def _freeze_postgres(product: Product, drawing: random.Random) -> None:
    seconds = drawing.uniform(1, 4)
    await asyncio.gather(*(_freeze(session.pid, seconds) for session in _sessions(product)))


async def _take_postgres_away(product: Product, _drawing: random.Random) -> None:
    await asyncio.gather(*(_freeze(session.pid, OUTAGE) for session in _sessions(product)))


async def _end_database_sessions(product: Product, _drawing: random.Random) -> None:
    for session in _sessions(product):
        if _is_of_a_client(session):
            _signal(session.pid, signal.SIGTERM)


async def _kill_valkey(product: Product, _drawing: random.Random) -> None:
    _signal(_engine(product, "valkey"), signal.SIGKILL)


async def _freeze_valkey(product: Product, drawing: random.Random) -> None:
    await _freeze(_engine(product, "valkey"), drawing.uniform(0.5, 3))


LONG_OUTAGE = Fault("Postgres away for a minute", _take_postgres_away, 1)
KILL_WORKER = Fault("kill -9 a worker", _kill_worker, 6)
KILL_SHIPPER = Fault("kill -9 the shipper", _kill_shipper, 3)
KILL_POSTGRES = Fault("kill -9 Postgres", _kill_postgres, 2)
FREEZE_POSTGRES = Fault("freeze Postgres", _freeze_postgres, 2)
FAULTS = (
    KILL_WORKER,
    Fault("kill -9 all workers", _kill_all_workers, 1),
    Fault("end a worker", _end_worker, 2),
    Fault("freeze a worker", _freeze_worker, 2),
    KILL_SHIPPER,
    Fault("freeze the shipper", _freeze_shipper, 2),
    KILL_POSTGRES,
    FREEZE_POSTGRES,
    Fault("end database sessions", _end_database_sessions, 2),
    Fault("kill -9 Valkey", _kill_valkey, 1),
    Fault("freeze Valkey", _freeze_valkey, 2),
)


def _one_of(pids: Sequence[int], drawing: random.Random) -> int | None:
    """Return one of those that live at the moment, if any."""
    return drawing.choice(pids) if pids else None


def _engine(product: Product, name: str) -> int | None:
    return next((child.pid for child in product.children() if child.name().startswith(name)), None)


def _sessions(product: Product) -> list[psutil.Process]:
    postgres = _engine(product, "postgres")
    try:
        return [] if postgres is None else psutil.Process(postgres).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _is_of_a_client(session: psutil.Process) -> bool:
    """Tell a client's session, which names where it comes from, from Postgres' own processes."""
    try:
        return "127.0.0.1" in " ".join(session.cmdline())
    except psutil.NoSuchProcess:
        return False


async def _freeze(pid: int | None, seconds: float) -> None:
    _signal(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        _signal(pid, signal.SIGCONT)


def _signal(pid: int | None, number: signal.Signals) -> None:
    if pid is None:
        return
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it was faster
