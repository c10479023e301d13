"""The life of one worker process: serve its inherited socket, keep itself current, leave without losing anything."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

from detectors.errors import SettingsError
from detectors.words import BreakerState
from proxy.app import Detection, Worker, build_worker
from proxy.certificate import Certificate
from proxy.edge import EdgeServer
from proxy.health import data_plane_health
from proxy.refusals import Refusals
from proxy.settings import Settings
from proxy.telemetry.metrics import MetricsSender
from proxy.telemetry.vitals import Vitals
from storage.embedded import EngineUrls
from storage.keys.house_keys import HouseKeys

# An exchange leaves hardly a cycle behind, so looking for them after every 700 new objects was 3 to 5 % of a worker.
COLLECT_AFTER: Final = (10_000, 20, 20)
# A thread that reads a long body must give the loop the interpreter soon after it asks; alone, the loop never asks.
SWITCH_AFTER: Final = 0.001
SETTLING: Final = 0.1  # seconds behind `edge.grace`: by then the supervisor lets nobody in any more
_LOG: Final = structlog.get_logger("promptshield.worker")


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """What a worker inherits: its number, its listening socket, and the channel to the control plane."""

    number: int
    listener: socket.socket
    channel: socket.socket
    instance: str


async def run_worker(
    settings: Settings, detection: Detection, house_keys: HouseKeys, urls: EngineUrls, place: WorkerPlace
) -> None:
    """Serve until SIGTERM, then stop being ready, let streams finish, flush and return."""
    gc.set_threshold(*COLLECT_AFTER)
    sys.setswitchinterval(SWITCH_AFTER)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    worker = await build_worker(settings, detection, house_keys, urls, place.number, place.instance)
    await worker.parts.keys.check()
    edge, refusals = settings.edge, Refusals(worker.parts.metrics)
    server = EdgeServer(
        _route(worker, stopping), head_idle=edge.head_idle, refusals=refusals, keepalive_timeout=edge.keep_alive
    )
    runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=edge.drain)
    await runner.setup()
    certificate = Certificate(settings.proxy.tls) if settings.proxy.tls is not None else None
    context = certificate.context if certificate is not None else None
    await web.SockSite(runner, place.listener, ssl_context=context).start()
    sender = MetricsSender(worker.parts.metrics, place.channel)
    vitals = Vitals(worker.parts.metrics, place.number, worker.handler.room, certificate)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(worker.parts.keys.check_forever()),
            group.create_task(worker.parts.data_keys.check_forever()),
            group.create_task(worker.parts.journal.flush_forever()),
            group.create_task(vitals.watch_loop()),
            group.create_task(worker.limits.keep_forever()),
            group.create_task(_every_second(lambda: _keep_current(worker, vitals, sender, refusals))),
        ]
        await stopping.wait()
        await asyncio.sleep(edge.grace + SETTLING)
        await runner.cleanup()
        for task in tasks:
            task.cancel()
    sender.send()
    await worker.close()


def _route(worker: Worker, stopping: asyncio.Event) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    """Health first, which needs no key; everything else is the handler's."""

    async def route(request: web.BaseRequest) -> web.StreamResponse:
        engine = worker.engine
        connected = engine is None or engine.connected
        health = data_plane_health(request, worker.parts.keys, draining=stopping.is_set(), engine=connected)
        return await worker.handler(request) if health is None else health

    return route


async def _keep_current(worker: Worker, vitals: Vitals, sender: MetricsSender, refusals: Refusals) -> None:
    """Take in changed policies, hand in idle leases, and hand over what was counted."""
    refusals.sum_up()
    await worker.parts.releases.check(worker.parts.keys.policies)
    await _follow_packs(worker)  # before policies, whose tests may be about them
    report = await worker.policies.reload()
    for file, problem in report.failures.items():
        worker.parts.metrics.count("promptshield_policy_reload_failures_total")
        _LOG.error("policy not loaded, the last good revision stays", policy=file, problem=problem)
    for name in report.loaded:
        _LOG.info("policy loaded", policy=name, revision=worker.policies.policies[name].revision)
    await _follow_heads(worker)
    await _follow_judges(worker)
    known = await worker.attacks.check(worker.parts.keys.attacks)
    if known is not None:
        _LOG.info("known attacks exchanged", attacks=known)
    await worker.limits.flush()
    if worker.engine is not None:
        worker.engine.refresh()
    metrics = worker.parts.metrics
    metrics.gauge("promptshield_limits_degraded_workers", worker.limits.windows.degraded)
    for name, state in worker.parts.health.states().items():
        metrics.gauge("promptshield_upstream_shut_workers", state is BreakerState.OPEN, (name,))
    metrics.lookups(worker.parts.screen.lookups())
    await worker.warming.look(worker.parts.screen.take_sample())
    vitals.tell_breakers(worker.judges.states())
    vitals.tell_policies(worker.policies.policies, len(worker.policies.failures) + len(worker.added.heads.failures))
    vitals.tell()
    if worker.parts.tracing is not None:
        for reason, spans in worker.parts.tracing.exporter.lost().items():
            metrics.count("promptshield_spans_lost_total", (reason,), spans)
    sender.send()


async def _follow_packs(worker: Worker) -> None:
    """Take in changed signatures of the operator; a bad pack leaves its last good one in force."""
    report = await worker.added.packs.reload()
    for name, problem in report.failures.items():
        worker.parts.metrics.count("promptshield_policy_reload_failures_total")
        _LOG.error("signatures not loaded, the last good ones stay", pack=name or "everybody", problem=problem)
    for name in (*report.loaded, *report.removed):
        known = worker.added.packs.packs.get(name)
        _LOG.info("signatures loaded", pack=name or "everybody", revision="none" if known is None else known.revision)


async def _follow_heads(worker: Worker) -> None:
    """Take in what tenants' labels taught; a head that cannot be used leaves the last one, or none, in force."""
    report = await worker.added.heads.reload()
    for tenant_id, problem in report.failures.items():
        worker.parts.metrics.count("promptshield_policy_reload_failures_total")
        _LOG.error("head not loaded", tenant=tenant_id, problem=problem)
    for tenant_id, revision in report.loaded.items():
        _LOG.info("head loaded", tenant=tenant_id, revision=revision)


async def _follow_judges(worker: Worker) -> None:
    """Take in judges of a changed settings file; a file that cannot be used leaves the last ones in force."""
    try:
        if await worker.judges.reload():
            _LOG.info("judges exchanged", judges=sorted(worker.judges.states()))
    except SettingsError as exc:
        worker.parts.metrics.count("promptshield_judge_reload_failures_total")
        _LOG.error("judges not loaded, the last good ones stay", problem=str(exc))


async def _every_second(work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await work()
        await asyncio.sleep(1)
