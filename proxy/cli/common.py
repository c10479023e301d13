"""What the subcommands share: their options, progress lines, and the way to the stores."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

import typer

from detectors.errors import StorageError, UnknownTenantError
from proxy.runtime.installation import has_begun, reachable_engines
from proxy.runtime.processes import run_loop
from proxy.settings import Settings, load_settings
from storage.claim import claim_database
from storage.keys.house_keys import HouseKeys, open_house_keys
from storage.migrate import migrate
from storage.postgres import Database
from storage.tenants.tenants import TenantStore
from storage.types import Tenant

Result = TypeVar("Result")
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Settings file (default: promptshield.yaml).")]
DataOption = Annotated[Path | None, typer.Option("--data", help="Data folder (default: ./.promptshield).")]


def progress(line: str) -> None:
    """Tell the person at the terminal what takes a moment; standard output stays clean for results.

    Where nobody can be told any more, what is told of goes on.
    """
    with suppress(OSError):
        print(f"  {line}", file=sys.stderr, flush=True)


def with_database(
    config: Path | None,
    data: Path | None,
    work: Callable[[Database, HouseKeys, Settings], Awaitable[Result]],
    *,
    new: bool = False,
) -> Result:
    """Run `work` with the installation's database, starting the engines for it if no server runs.

    Only what may begin an installation makes one (`new`). Raises StorageError where there is none.
    """
    settings = load_settings(config, data=data)
    if not new and not has_begun(settings):
        problem = f"{settings.data}: there is no installation; --data says where it is, `promptshield serve` makes one"
        raise StorageError(problem)
    house_keys = open_house_keys(settings.keys_folder)
    with reachable_engines(settings, house_keys, progress) as urls:

        async def run() -> Result:
            await migrate(urls.database_owner_url, urlsplit(urls.database_url).username or "")
            async with _connected(urls.database_url, house_keys) as database:
                return await work(database, house_keys, settings)

        result: Result = run_loop(run())
        return result


def actor() -> str:
    """Return whose name stands in the admin audit for what this command does."""
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"  # not the environment, which anybody sets
    except KeyError:
        return f"cli:{os.getuid()}"


async def find_tenant(database: Database, slug: str) -> Tenant:
    """Return the tenant of that slug. Raises StorageError."""
    tenant = await TenantStore(database).find(slug)
    if tenant is None:
        raise UnknownTenantError(f'there is no tenant "{slug}"')
    return tenant


def with_reading_database(
    config: Path | None, data: Path | None, work: Callable[[Database], Awaitable[Result]]
) -> Result:
    """Run `work`, which only reads, with the replica of DATABASE_READ_URL, or else with the installation's database."""
    settings = load_settings(config, data=data)
    if not settings.database_read_url:
        return with_database(config, data, lambda database, _keys, _settings: work(database))

    async def run() -> Result:
        database = await Database.connect(settings.database_read_url, size=2)
        try:
            return await work(database)
        finally:
            await database.close()

    result: Result = run_loop(run())
    return result


@asynccontextmanager
async def _connected(url: str, house_keys: HouseKeys) -> AsyncIterator[Database]:
    database = await Database.connect(url, size=2)
    try:
        await claim_database(database, house_keys.fingerprint())
        yield database
    finally:
        await database.close()
