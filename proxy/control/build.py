"""Where the parts of the control plane's operations are put together."""

from __future__ import annotations

from policies.store import PolicyStore
from proxy.additions.additions import Additions
from proxy.app import Detection
from proxy.control.access.build import build_access
from proxy.control.parts import ControlParts
from proxy.control.sums import Sums
from proxy.screen import Screen
from proxy.settings import Settings
from storage.embedded import EngineUrls
from storage.keys.data_keys import DataKeys
from storage.keys.encryption import key_ring_source
from storage.keys.house_keys import HouseKeys
from storage.postgres import Database
from storage.redis_client import RedisClient

_CONNECTIONS = 6


async def build_parts(
    settings: Settings,
    detection: Detection,
    house_keys: HouseKeys,
    urls: EngineUrls,
    policies: PolicyStore,
    added: Additions,
    sums: Sums,
) -> ControlParts:
    """Return the parts, with connections of their own: however many people ask, the shipper keeps its own.

    `close_parts` gives the connections back.
    """
    database = await Database.connect(urls.database_url, size=_CONNECTIONS, at_once=False)
    return ControlParts(
        settings=settings,
        database=database,
        redis=RedisClient.connect(urls.redis_url),
        house_keys=house_keys,
        data_keys=DataKeys(database, key_ring_source(settings.keys_folder)),
        policies=policies,
        signatures=added.packs,
        detection=detection,
        screen=Screen(detection.chain, detection.actions, added=added),
        sums=sums,
        access=build_access(settings, database, house_keys),
    )


async def close_parts(parts: ControlParts) -> None:
    await parts.redis.close()
    await parts.database.close()
