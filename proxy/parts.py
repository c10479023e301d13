"""What the rooms of a worker share, put together once in `app.py`."""

from __future__ import annotations

from dataclasses import dataclass, field

from policies.types import PolicySource
from proxy.carried_headers import CarriedHeaders
from proxy.codec import Codec
from proxy.edge_settings import EdgeSettings
from proxy.egress.door import Door
from proxy.hook import Hook
from proxy.identity import KeyDirectory
from proxy.limits.metering import Metering
from proxy.releases import Releases
from proxy.screen import Screen
from proxy.telemetry.metrics import WorkerMetrics
from proxy.telemetry.tracing import Tracing
from proxy.upstreams.health import UpstreamHealth
from proxy.upstreams.upstream import UpstreamPool, Upstreams
from storage.journal.journal import Journal
from storage.keys.data_keys import DataKeys
from storage.keys.house_keys import HouseKeys
from storage.provider_objects import ProviderObjects


@dataclass(frozen=True, slots=True)
class Parts:
    """A worker's collaborators. None of them knows of an exchange."""

    codecs: tuple[Codec, ...]
    hooks: tuple[Hook, ...]
    door: Door
    keys: KeyDirectory
    policies: PolicySource
    metering: Metering
    screen: Screen
    upstreams: Upstreams
    pool: UpstreamPool
    health: UpstreamHealth
    journal: Journal
    house_keys: HouseKeys
    data_keys: DataKeys
    objects: ProviderObjects
    releases: Releases
    metrics: WorkerMetrics
    edge: EdgeSettings
    instance: str
    worker: int
    tracing: Tracing | None = None
    carried: CarriedHeaders = field(default_factory=CarriedHeaders)
