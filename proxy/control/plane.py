"""The control-plane process: ships the journal, gathers workers' numbers, and answers health and metrics."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

import structlog
from aiohttp import web

from detectors.errors import AccessError, StorageError
from policies.store import PolicyStore
from proxy.additions.additions import Additions, additions
from proxy.app import Detection, policy_store
from proxy.control.access.http_rules import browser_rules
from proxy.control.access.mount import mount_access
from proxy.control.access.sign_in_samples import sign_in_samples
from proxy.control.build import build_parts, close_parts
from proxy.control.console.mount import mount_console
from proxy.control.exposition import Exposition, Source, journal_samples, upkeep_samples
from proxy.control.incident_notices import IncidentNotices
from proxy.control.incident_watch import IncidentWatch
from proxy.control.mounting import mount
from proxy.control.parts import ControlParts
from proxy.control.place import ControlPlace
from proxy.control.policy_status import insist_on_operator, policy_status
from proxy.control.policy_webhooks import Announced, PolicyWebhooks
from proxy.control.purging import Purging
from proxy.control.sums import Sample, Sums
from proxy.control.upkeep import Upkeep
from proxy.health import HEALTH, LIVENESS, READINESS, health_response
from proxy.held_policies import follow_held, held_folder
from proxy.responses import error_response, json_response
from proxy.settings import Settings
from storage.apart import apart
from storage.chains.ledger import CheckpointSink
from storage.decisions.writer import PostgresSink
from storage.embedded import EngineUrls
from storage.journal.folder import adopt
from storage.journal.shipper import Shipper
from storage.keys.house_keys import HouseKeys
from storage.postgres import Database
from storage.sink import Surroundings, build_sinks

_LOG: Final = structlog.get_logger("promptshield.control")
_DRAIN_SECONDS: Final = 10.0
_SIGNING_SECONDS: Final = 3.0
_POLICIES_EVERY: Final = 2.0


@dataclass(frozen=True, slots=True)
class _Plane:
    database: Database
    exposition: Exposition
    sums: Sums
    shipper: Shipper
    stopping: asyncio.Event
    started: float
    parts: ControlParts


async def run_control(
    settings: Settings, detection: Detection, house_keys: HouseKeys, urls: EngineUrls, place: ControlPlace
) -> None:
    """Serve until SIGTERM; then ship what is left, for ten seconds at most, sign it, and return."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    database = await Database.connect(urls.database_url, size=3, at_once=False)
    folder = settings.journal_folder / place.instance
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if adopted := await apart(adopt, folder):
        _LOG.warning("a journal of another name is shipped from here", segments=adopted)
    surroundings = Surroundings(database, settings.sinks_folder)
    sinks = build_sinks(surroundings, settings.sinks)
    added = additions(settings, detection.views)
    policies = policy_store(settings, detection, added.packs)
    webhooks = PolicyWebhooks(lambda: policies.policies, house_keys.tenant_content_key)
    announced = (Announced(sinks[0], webhooks), *sinks[1:])
    shipper = Shipper(folder, announced, PostgresSink(database), settings.journal.disk_limit)
    witnesses = [sink for sink in sinks if isinstance(sink, CheckpointSink)]
    upkeep = Upkeep(settings, house_keys, database, surroundings.heads, policies, place.instance, witnesses)
    sums = Sums(settings.metrics.tenants, tell_tenants_apart=settings.metrics.tenant_label)
    parts = await build_parts(settings, detection, house_keys, urls, policies, added, sums)
    exposition = Exposition(sums, _sources(parts, shipper, upkeep))
    loop.add_reader(place.channel.fileno(), lambda: _drain_channel(place.channel, sums))
    plane = _Plane(database, exposition, sums, shipper, stopping, time.monotonic(), parts)
    runner = web.AppRunner(_application(plane), handle_signals=False, access_log=None, shutdown_timeout=2)
    await runner.setup()
    await web.SockSite(runner, place.listener).start()
    watch = IncidentWatch(settings.incidents, parts.database, IncidentNotices(settings.incidents.notices))
    works = (
        shipper.run_forever(),
        upkeep.run_forever(),
        follow_held(database, held_folder(settings)),
        webhooks.run_forever(),
        _keep_current(policies, added),
        parts.data_keys.check_forever(),
        watch.run_forever(),
        Purging(settings, parts.database, parts.redis, upkeep.retirement).run_forever(),
    )
    await _work_until(stopping, works)
    await _ship_the_rest(shipper)
    await upkeep.finish(_SIGNING_SECONDS)
    await shipper.close()
    loop.remove_reader(place.channel.fileno())
    await runner.cleanup()
    await watch.close()
    await close_parts(parts)
    await database.close()


def _sources(parts: ControlParts, shipper: Shipper, upkeep: Upkeep) -> list[Source]:
    return [
        lambda: _instance_samples(parts.settings, parts.sums),
        lambda: journal_samples(shipper.counts, parts.settings.journal.disk_limit),
        lambda: upkeep_samples(upkeep.counts),
        lambda: sign_in_samples(parts.access.sign_ins),
    ]


async def _work_until(stopping: asyncio.Event, works: Iterable[Coroutine[Any, Any, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in works]
        await stopping.wait()
        for task in tasks:
            task.cancel()


def _application(plane: _Plane) -> web.Application:
    async def health(request: web.Request) -> web.Response:
        database = await _answers(plane.database)
        draining = plane.stopping.is_set()
        workers = len(plane.sums.live())
        ready = database and workers > 0 and not draining
        response = health_response(ready=ready, database=database, draining=draining, detail=request.path == HEALTH)
        response.headers["x-promptshield-workers"] = str(workers)
        return response

    async def liveness(_request: web.Request) -> web.Response:
        return json_response(200, {"status": "alive", "uptime": int(time.monotonic() - plane.started)})

    async def metrics(_request: web.Request) -> web.Response:
        body, content_type = plane.exposition.text()
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def policies(request: web.Request) -> web.Response:
        await insist_on_operator(plane.parts, request)
        return json_response(200, await policy_status(plane.parts.policies))

    app = web.Application(middlewares=[browser_rules(plane.parts.access.settings), _in_our_shape])
    for path in (HEALTH, *READINESS):
        app.router.add_get(path, health)
    for path in LIVENESS:
        app.router.add_get(path, liveness)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/policy/status", policies)
    mount_access(app, plane.parts.access)
    mount(app, plane.parts)
    mount_console(app, plane.parts)
    return app


@web.middleware
async def _in_our_shape(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except AccessError as exc:
        return error_response(exc.status, exc.code, exc.message)
    except web.HTTPException as exc:
        return error_response(exc.status, "unknown_path", "There is nothing at this path.")


async def _answers(database: Database) -> bool:
    try:
        async with asyncio.timeout(1):
            await database.ping()
    except (StorageError, TimeoutError):
        return False
    return True


async def _keep_current(policies: PolicyStore, added: Additions) -> None:
    """Know of changed policies soon after the workers do, for what the log does by them; so of signatures and heads."""
    while True:
        await added.reload()
        await policies.reload()
        await asyncio.sleep(_POLICIES_EVERY)


def _instance_samples(settings: Settings, sums: Sums) -> Iterator[Sample]:
    yield Sample("promptshield_workers", len(sums.live()))
    yield Sample("promptshield_workers_configured", settings.workers)
    yield Sample("promptshield_build_info", 1, (version("promptshield"),))


def _drain_channel(channel: socket.socket, sums: Sums) -> None:
    """Read every datagram that waits; the channel never blocks."""
    while True:
        try:
            datagram = channel.recv(1 << 17)
        except BlockingIOError:
            return
        if not datagram:
            return
        sums.take_in(datagram)


async def _ship_the_rest(shipper: Shipper) -> None:
    """Drain the journal, for ten seconds at most; what is left stays in it, and the next start ships it."""
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            await shipper.drain()
    except TimeoutError:
        _LOG.warning("the journal is not empty: the next start ships what is left", bytes=shipper.counts.bytes)
