"""Where the parts are put together: what a process builds before it forks, and what a worker builds after."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial

import proxy.hooks
import proxy.providers
from detectors.build import build_chain, build_views, rule_ids
from detectors.chain import Chain
from detectors.discovery import discover
from detectors.rules import RuleSet, load_signatures
from detectors.views import ViewBuilder
from policies.build import build_actions
from policies.engine import Actions
from policies.folders import PolicyFolders
from policies.store import PolicyStore
from proxy.additions.additions import Additions, additions
from proxy.additions.attack_keeping import AttackKeeping
from proxy.additions.operator_packs import OperatorPacks
from proxy.codec import Codec
from proxy.egress.door import open_door
from proxy.engine.client import EngineClient
from proxy.handler import Handler
from proxy.held_policies import held_folder
from proxy.hook import Hook
from proxy.identity import KeyDirectory
from proxy.issuer_keys import IssuerKeys
from proxy.judging.judges import Judges
from proxy.judging.settings import JudgeSettings
from proxy.limits.worker_limits import WorkerLimits, build_limits
from proxy.parts import Parts
from proxy.pool.connection_pool import ConnectionPool
from proxy.releases import Releases
from proxy.request_reader import CodecReader
from proxy.screen import Screen
from proxy.settings import Settings, load_settings
from proxy.telemetry.metrics import WorkerMetrics
from proxy.telemetry.tracing import build_tracing
from proxy.tenant_tokens import TenantTokens
from proxy.upstreams.health import UpstreamHealth
from proxy.upstreams.upstream import Upstreams
from proxy.warming import Warming
from storage.attacks import AttackStore
from storage.cache import LruFindingsCache
from storage.embedded import EngineUrls
from storage.journal.journal import Journal
from storage.judge_breakers import JudgeBreakers
from storage.keys.data_keys import DataKeys
from storage.keys.encryption import key_ring_source
from storage.keys.house_keys import HouseKeys
from storage.pinned_findings import PinnedFindings
from storage.postgres import Database
from storage.provider_objects import ProviderObjects
from storage.redis_client import RedisClient
from storage.reviews import ReviewQueue
from storage.revisions import read_revisions
from storage.shared_cache import SharedFindingsCache
from storage.tenants.api_keys import ApiKeyStore
from storage.tenants.issuers import TenantIssuers
from storage.types import Limits


@dataclass(frozen=True, slots=True)
class Detection:
    """What is loaded once, before any fork: rules compiled, detectors built. Everything in it is read-only."""

    rules: RuleSet
    chain: Chain
    actions: Actions
    codecs: tuple[Codec, ...]
    hooks: tuple[Hook, ...]
    views: ViewBuilder


def load_detection() -> Detection:
    """Load signatures, detectors, actions and codecs. Raises SignatureError, TypeError for a broken plug-in."""
    rules, (codecs, hooks) = load_signatures(), load_readers()
    return Detection(rules, build_chain(rules, LruFindingsCache()), build_actions(), codecs, hooks, build_views())


def load_readers() -> tuple[tuple[Codec, ...], tuple[Hook, ...]]:
    """Return all that read requests. Raises TypeError for a broken plug-in."""
    codecs = discover(proxy.providers, "CODEC", Codec)  # type: ignore[type-abstract]
    return codecs, discover(proxy.hooks, "HOOK", Hook)  # type: ignore[type-abstract]


def policy_store(settings: Settings, detection: Detection, signatures: OperatorPacks | None = None) -> PolicyStore:
    """Return the store of the installation's policies, not yet loaded; their tests need its `signatures` loaded."""
    known_rules, last_good = rule_ids(detection.rules), settings.data / "last-good-policies"
    folders = PolicyFolders(settings.policies_folder, held_folder(settings))
    reader = CodecReader(detection.codecs)
    return PolicyStore(folders, detection.chain, detection.actions, known_rules, last_good, reader, signatures)


@dataclass(slots=True)
class Worker:
    """A worker's parts, and those of them that have a life of their own."""

    handler: Handler
    parts: Parts
    policies: PolicyStore
    limits: WorkerLimits
    database: Database
    redis: RedisClient
    judges: Judges
    engine: EngineClient | None
    warming: Warming
    added: Additions
    attacks: AttackKeeping

    async def close(self) -> None:
        if self.parts.tracing is not None:
            self.parts.tracing.exporter.close()
        await self.parts.pool.close()
        if self.engine is not None:
            await self.engine.close()
        await self.judges.close()
        await self.limits.close()
        await self.redis.close()
        await self.database.close()
        self.parts.journal.close()


async def build_worker(
    settings: Settings, detection: Detection, house_keys: HouseKeys, urls: EngineUrls, number: int, instance: str
) -> Worker:
    """Build worker `number`. Raises PolicyError, JournalError."""
    # A worker that is replaced while the database is away is to answer, if only that it knows nobody yet.
    database = await Database.connect(urls.database_url, size=2, at_once=False)
    redis = RedisClient.connect(urls.redis_url)
    limits = build_limits(settings, urls, f"{instance}:{number}")
    added = additions(settings, detection.views)
    await asyncio.to_thread(added.recover)
    policies = policy_store(settings, detection, added.packs)
    await policies.recover()
    metrics, pool, upstreams = WorkerMetrics(number), ConnectionPool(), Upstreams(settings.upstreams)
    judges = build_judges(settings, redis, limits.windows, metrics)
    engine = EngineClient(settings.engine, pool, metrics) if settings.engine.url else None
    door = open_door(house_keys.egress_token(), settings.egress, (settings.proxy.port, settings.control.port))
    parts = Parts(
        codecs=detection.codecs,
        hooks=detection.hooks,
        door=door,
        keys=_key_directory(settings, database, house_keys.pepper),
        policies=policies,
        metering=limits.metering,
        screen=Screen(
            detection.chain,
            detection.actions,
            judges,
            shared=SharedFindingsCache(redis, house_keys.findings_key),
            engine=engine,
            added=added,
        ),
        upstreams=upstreams,
        pool=pool,
        health=UpstreamHealth((*upstreams.all, *door.upstreams.values()), pool, metrics),
        journal=_journal(settings, instance),
        house_keys=house_keys,
        data_keys=DataKeys(database, key_ring_source(settings.keys_folder)),
        objects=ProviderObjects(database),
        releases=Releases(ReviewQueue(database)),
        metrics=metrics,
        edge=settings.edge,
        instance=instance,
        worker=number,
        tracing=build_tracing(settings.tracing),
    )
    warming = Warming(detection.chain, PinnedFindings(redis, house_keys.findings_key))
    attacks = AttackKeeping(AttackStore(database), detection.chain)
    return Worker(Handler(parts), parts, policies, limits, database, redis, judges, engine, warming, added, attacks)


def _key_directory(settings: Settings, database: Database, pepper: bytes) -> KeyDirectory:
    store, revisions = ApiKeyStore(database, pepper), partial(read_revisions, database)
    issuer_keys = IssuerKeys(settings.identity.allow_networks, time.monotonic)
    tokens = TenantTokens(TenantIssuers(database), issuer_keys, time.time)
    return KeyDirectory(store, revisions, pepper, settings.identity.max_stale, tokens=tokens)


def build_judges(settings: Settings, redis: RedisClient, limits: Limits, metrics: WorkerMetrics) -> Judges:
    """Build a worker's judges, which follow the settings file."""

    def load() -> tuple[JudgeSettings, ...]:
        return load_settings(settings.file, data=settings.data).judges

    return Judges(settings.judges, JudgeBreakers(redis), limits, metrics, settings.file, load)


def _journal(settings: Settings, instance: str) -> Journal:
    return Journal(settings.journal_folder / instance, settings.journal.sync, disk_limit=settings.journal.disk_limit)
