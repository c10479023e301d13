"""The real handler in this process: codecs, screen, journal and pool are real; who exists is written down here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
from aiohttp import web
from aiohttp.test_utils import RawTestServer, TestClient

from policies.types import Policy
from proxy.app import Detection
from proxy.edge_settings import EdgeSettings
from proxy.egress.door import open_door
from proxy.egress.settings import EgressSettings
from proxy.handler import Handler
from proxy.judging.judges import Judges
from proxy.limits.metering import Metering
from proxy.limits.prices import Prices, PriceSettings
from proxy.parts import Parts
from proxy.pool.connection_pool import ConnectionPool
from proxy.releases import Releases
from proxy.screen import Screen
from proxy.settings import UpstreamSettings
from proxy.telemetry.metrics import WorkerMetrics
from proxy.upstreams.health import UpstreamHealth
from proxy.upstreams.upstream import Upstreams
from storage.journal.journal import Journal
from storage.journal.reader import JournalReader
from storage.reviews import ReviewQueue
from storage.types import DecisionRecord, Identity, ObjectName
from tests.storage.journals import records_in

Reply = tuple[int, dict[str, Any]]
TENANTS = {"acme-key": Identity(1, "acme", 1, "shop", 1), "other-key": Identity(2, "other", 2, "shop", 2)}


@dataclass(slots=True)
class Objects:
    """What each tenant has made, as the database keeps it."""

    known: set[tuple[int, str, ObjectName]] = field(default_factory=set)

    async def unknown(self, tenant: int, upstream: str, names: Collection[ObjectName]) -> frozenset[ObjectName]:
        return frozenset(name for name in names if (tenant, upstream, name) not in self.known)

    async def note(self, tenant: int, upstream: str, names: Collection[ObjectName], _decision: str) -> int:
        self.known |= {(tenant, upstream, name) for name in names}
        return len(names)


@dataclass(slots=True)
class Serving:
    """A worker for the tenants `acme` and `other`, whose keys are `acme-key` and `other-key`, under one policy."""

    client: TestClient[web.BaseRequest, None]
    journal: Path
    objects: Objects
    metrics: WorkerMetrics

    async def ask(
        self, path: str, body: object = None, *, method: str = "POST", key: str = "acme-key", **headers: str
    ) -> Reply:
        """Return status and document of the answer."""
        sent = {"x-promptshield-key": key, **{name.replace("_", "-"): value for name, value in headers.items()}}
        raw = body if isinstance(body, bytes | None) else orjson.dumps(body)
        async with self.client.request(method, path, data=raw, headers=sent) as answer:
            return answer.status, orjson.loads(await answer.read())

    def rows(self) -> list[DecisionRecord]:
        return records_in(JournalReader(self.journal, {}).read(frozenset()))


@asynccontextmanager
async def serving(
    folder: Path,
    detection: Detection,
    policy: Policy,
    *upstreams: UpstreamSettings,
    judges: Callable[[WorkerMetrics], Judges] | None = None,
    metering: Metering | None = None,
) -> AsyncIterator[Serving]:
    """Serve in front of `upstreams`."""

    async def identify(key: str) -> Identity:
        return TENANTS[key]

    releases = Releases(ReviewQueue(None))  # type: ignore[arg-type]  # nobody has released anything
    pool, metrics, objects = ConnectionPool(), WorkerMetrics(0), Objects()
    around: dict[str, Any] = {
        "keys": SimpleNamespace(identify=identify),
        "policies": SimpleNamespace(policy_for=lambda _tenant, _app: policy),
        "house_keys": SimpleNamespace(tenant_content_key=lambda tenant_id: bytes([tenant_id]) * 32),
        "objects": objects,
        "metering": metering or SimpleNamespace(prices=Prices(PriceSettings())),
        "releases": releases,
        "data_keys": None,
    }
    parts = Parts(
        codecs=detection.codecs,
        hooks=detection.hooks,
        door=open_door("egress-token", EgressSettings()),
        screen=Screen(detection.chain, detection.actions, judges and judges(metrics)),
        upstreams=Upstreams(upstreams),
        pool=pool,
        health=UpstreamHealth(upstreams, pool, metrics),
        journal=Journal(folder),
        metrics=metrics,
        edge=EdgeSettings(),
        instance="i",
        worker=0,
        **around,
    )
    client: TestClient[web.BaseRequest, None] = TestClient(RawTestServer(Handler(parts)))
    try:
        async with client:
            yield Serving(client, folder, objects, metrics)
    finally:
        await pool.close()
        parts.journal.close()
