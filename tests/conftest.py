"""What every test may use: the real engines, started once; and how properties are tried."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from storage.embedded import EmbeddedEngines, EnginePasswords, EngineUrls

# A slow moment of the machine is no counter-example; and the gate tries the same examples every time.
settings.register_profile(
    "ours", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("ours")


@pytest.fixture(scope="session")
def engines() -> Iterator[EngineUrls]:
    """Postgres and Valkey as the product ships them, or those of DATABASE_URL and REDIS_URL."""
    if "DATABASE_URL" in os.environ and "REDIS_URL" in os.environ:
        database = os.environ["DATABASE_URL"]
        yield EngineUrls(database, os.environ.get("DATABASE_OWNER_URL", database), os.environ["REDIS_URL"])
        return
    with tempfile.TemporaryDirectory(prefix="ps-test-", ignore_cleanup_errors=True) as folder:
        data = Path(folder)
        data.chmod(0o755)  # the engines' account must be able to reach its folders
        embedded = EmbeddedEngines(data, EnginePasswords("owner-test", "login-test", "valkey-test"))
        try:
            urls = embedded.start()
            asyncio.run(_do_without_the_disk(urls.database_owner_url))
            yield urls
        finally:
            embedded.stop()


async def _do_without_the_disk(owner_url: str) -> None:
    """Wait for no disk: what these databases hold survives killed processes, and need not survive the machine."""
    connection = await asyncpg.connect(owner_url)
    try:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            await connection.execute(f"ALTER SYSTEM SET {setting} = off")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()
