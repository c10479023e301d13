"""`promptshield keys`: the keys that lock stored bodies: list them, rotate them, destroy them."""

from __future__ import annotations

from typing import Annotated

import typer

from proxy.cli.common import ConfigOption, DataOption, actor, find_tenant, with_database
from proxy.settings import Settings
from storage.keys.custody import KeyCustody
from storage.keys.encryption import HouseKeyFile, key_ring_source
from storage.keys.house_keys import HouseKeys
from storage.postgres import Database

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(config: ConfigOption = None, data: DataOption = None) -> None:
    """List the data keys of all tenants, and which key-encryption key wraps each."""

    async def work(database: Database, _keys: HouseKeys, _settings: Settings) -> None:
        for key in await KeyCustody(database, actor()).list():
            state = "destroyed" if key.destroyed_at else "retired" if key.retired_at else "live"
            print(f"{key.tenant:<38}  {key.generation:>4}  {state:<9}  {key.created_at:%Y-%m-%d}  kek {key.kek}")

    with_database(config, data, work)


@app.command()
def rotate(
    tenant: Annotated[str, typer.Option(help="Give this tenant a new data key; old bodies stay readable.")] = "",
    kek: Annotated[bool, typer.Option("--kek", help="Wrap all data keys by a new key-encryption key.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Rotate a tenant's data key, or the key-encryption key."""
    if bool(tenant) == kek:
        raise typer.BadParameter("give either --tenant or --kek")

    async def work(database: Database, _keys: HouseKeys, settings: Settings) -> None:
        if kek:
            await _rotate_kek(KeyCustody(database, actor()), settings)
            return
        source = key_ring_source(settings.keys_folder)
        generation = await KeyCustody(database, actor()).rotate(await find_tenant(database, tenant), source)
        print(f"{tenant}: data key {generation} is live")

    with_database(config, data, work)


@app.command()
def shred(
    tenant: Annotated[str, typer.Option(help="Whose data keys.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Destroy every data key of a tenant: its stored bodies can never be read again."""
    if not yes:
        typer.confirm(f"Make every stored body of {tenant} unreadable for good?", abort=True)

    async def work(database: Database, _keys: HouseKeys, _settings: Settings) -> None:
        destroyed = await KeyCustody(database, actor()).shred(await find_tenant(database, tenant))
        print(f"{tenant}: {destroyed} data keys destroyed; every worker forgets them within two seconds")
        print("Backups of the database still hold them wrapped: `promptshield keys rotate --kek` closes these too.")

    with_database(config, data, work)


async def _rotate_kek(custody: KeyCustody, settings: Settings) -> None:
    source = key_ring_source(settings.keys_folder)
    if isinstance(source, HouseKeyFile):
        ring = await source.begin_rotation()
        wrapped = await custody.rewrap(ring)
        await source.end_rotation(ring)
        print(f"{wrapped} data keys are wrapped by the new key {ring.current.id}; the former key is gone")
        return
    ring = await source.load()
    wrapped = await custody.rewrap(ring)
    print(
        f"{wrapped} data keys were wrapped anew; all are wrapped by {ring.current.id}, the first key that is supplied"
    )
    print("Once every server runs with it in front and this command wraps 0 keys, the others may be taken away.")
