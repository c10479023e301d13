"""`promptshield key`: create, list and revoke API keys."""

from __future__ import annotations

import typer

from proxy.cli.common import ConfigOption, DataOption, with_database
from proxy.settings import Settings
from storage.api_keys import ApiKeyStore
from storage.house_keys import HouseKeys
from storage.postgres import Database

app = typer.Typer(no_args_is_help=True)


@app.command()
def create(
    tenant: str, app_name: str = typer.Option("default", "--app"), config: ConfigOption = None, data: DataOption = None
) -> None:
    """Create an API key for an app of a tenant. It is shown once."""

    async def work(database: Database, keys: HouseKeys, _settings: Settings) -> None:
        key_id, key = await ApiKeyStore(database, keys.pepper).create(tenant, app_name)
        print(f"key {key_id} of {tenant}/{app_name}, shown only now:\n{key}")

    with_database(config, data, work)


@app.command("list")
def list_(tenant: str, config: ConfigOption = None, data: DataOption = None) -> None:
    """List the keys of a tenant by the part that may be shown."""

    async def work(database: Database, keys: HouseKeys, _settings: Settings) -> None:
        for key in await ApiKeyStore(database, keys.pepper).list(tenant):
            state = "revoked" if key.revoked_at else "live"
            print(f"{key.id:>6}  {key.prefix:<14}  {key.app:<24}  {state}")

    with_database(config, data, work)


@app.command()
def revoke(key: str, config: ConfigOption = None, data: DataOption = None) -> None:
    """Revoke a key by its id or its beginning; every worker knows within a second."""

    async def work(database: Database, keys: HouseKeys, _settings: Settings) -> None:
        await ApiKeyStore(database, keys.pepper).revoke(key)
        print("revoked")

    with_database(config, data, work)
