"""`promptshield tenant`: create and list tenants."""

from __future__ import annotations

import typer

from proxy.cli.common import ConfigOption, DataOption, with_database
from proxy.settings import Settings
from storage.house_keys import HouseKeys
from storage.postgres import Database
from storage.tenants import TenantStore

app = typer.Typer(no_args_is_help=True)


@app.command()
def create(slug: str, name: str = "", config: ConfigOption = None, data: DataOption = None) -> None:
    """Create a tenant with an app called default. Its policy is <data>/policies/<slug>.yaml."""

    async def work(database: Database, _keys: HouseKeys, settings: Settings) -> None:
        tenant = await TenantStore(database).create(slug, name)
        print(f"tenant {tenant.slug} created (id {tenant.id})")
        print(f"policy: {settings.policies_folder / f'{slug}.yaml'} (until it exists, default.yaml serves)")

    with_database(config, data, work)


@app.command("list")
def list_(config: ConfigOption = None, data: DataOption = None) -> None:
    """List all tenants."""

    async def work(database: Database, _keys: HouseKeys, _settings: Settings) -> None:
        for tenant in await TenantStore(database).list():
            print(f"{tenant.id:>6}  {tenant.slug:<38}  {tenant.name}")

    with_database(config, data, work)
