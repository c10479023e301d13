"""What a start makes sure of before anybody is served: schema, keys, policies, the demo tenant, an administrator.

Loaded by a process of its own, which ends when all that is done.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import asdict
from typing import Final
from urllib.parse import urlsplit

import orjson

from proxy.additions.additions import additions
from proxy.app import Detection, policy_store
from proxy.control.access.first_admin import NAME as FIRST_ADMIN
from proxy.control.access.first_admin import make_first_admin
from proxy.held_policies import fetch_held, held_folder
from proxy.runtime.installation import Prepared, write_private
from proxy.settings import Settings
from storage.claim import claim_database
from storage.embedded import EngineUrls
from storage.keys.house_keys import HouseKeys
from storage.migrate import migrate
from storage.postgres import Database
from storage.tenants.api_keys import ApiKeyStore
from storage.tenants.tenants import TenantStore

DEMO_TENANT: Final = "demo"
Report = Callable[[str], None]


async def prepare(
    settings: Settings, detection: Detection, house_keys: HouseKeys, urls: EngineUrls, report: Report
) -> str:
    """Migrate, check every policy, and return what was made (`Prepared`, as JSON). Raises StorageError, PolicyError.

    SIGTERM ends a migration, which may take its time. What follows takes a moment, and tells what it made only once.
    """
    await migrate(urls.database_owner_url, urlsplit(urls.database_url).username or "", report)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    made = await prepare_database(settings, house_keys, urls)
    signatures = additions(settings, detection.views).packs
    signatures.load()
    await policy_store(settings, detection, signatures).load()
    return orjson.dumps(asdict(made)).decode()


async def prepare_database(settings: Settings, house_keys: HouseKeys, urls: EngineUrls) -> Prepared:
    """Make the demo tenant if there is no tenant yet, and the first administrator if there is none.

    Raises StorageError, also where the database belongs to an installation with other keys.
    """
    database = await Database.connect(urls.database_url, size=1)
    try:
        await claim_database(database, house_keys.fingerprint())
        await fetch_held(database, held_folder(settings))  # before anybody could be served by another policy
        demo_key = await _demo_key(settings, house_keys, database)
        password = "" if settings.master_key else await make_first_admin(database)
        return Prepared(demo_key, FIRST_ADMIN, password)
    finally:
        await database.close()


async def _demo_key(settings: Settings, house_keys: HouseKeys, database: Database) -> str:
    """Return the demo key kept in the keys folder; make tenant and key in a database without any tenant."""
    file = settings.keys_folder / "demo-api-key"
    tenants = TenantStore(database)
    if not await tenants.list():
        await tenants.create(DEMO_TENANT, "Demo tenant")
        file.unlink(missing_ok=True)
    if not file.exists() and await tenants.find(DEMO_TENANT) is not None and not await _has_key(house_keys, database):
        _, key = await ApiKeyStore(database, house_keys.pepper).create(DEMO_TENANT, name="made at the first start")
        write_private(file, key)
    return file.read_text().strip() if file.exists() else ""


async def _has_key(house_keys: HouseKeys, database: Database) -> bool:
    return bool(await ApiKeyStore(database, house_keys.pepper).list(DEMO_TENANT))
