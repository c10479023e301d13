"""`promptshield key`: create, list, rotate and revoke API keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from detectors.errors import StorageError
from policies.quantities import parse_days
from proxy.app import load_readers
from proxy.cli.common import ConfigOption, DataOption, actor, find_tenant, with_database
from proxy.cli.policy_files import refuse
from proxy.key_limits import unknown_scope
from proxy.settings import Settings
from storage.accounts.admin_audit import AdminAudit
from storage.keys.house_keys import HouseKeys
from storage.postgres import Database
from storage.tenants.api_keys import ApiKey, ApiKeyStore, KeyLimits
from storage.tenants.tenancy import Tenancy

app = typer.Typer(no_args_is_help=True)
_LONGEST_OVERLAP = 43_200


@app.command()
def create(
    tenant: str,
    app_name: Annotated[str, typer.Option("--app", help="The app, made if it is new.")] = "default",
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    expires: Annotated[str | None, typer.Option(help="When it ends: 90d, 12w.")] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="What it may: a dialect (openai) or a route ('POST /v1/chat/*'); again.")
    ] = None,
    model: Annotated[list[str] | None, typer.Option(help="A model it may use, or a pattern; again for more.")] = None,
    additional: Annotated[bool, typer.Option("--additional", help="Beside a key that the app has.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Create an API key for an app of a tenant. It is shown once. An app has one, unless --additional."""
    if scope and (problem := unknown_scope(scope, *load_readers())):
        refuse(problem)
    limits = KeyLimits(tuple(scope) if scope else None, tuple(model) if model else None)
    ends = None if expires is None else datetime.now(UTC) + timedelta(days=_days(expires))

    async def work(database: Database, keys: HouseKeys, _settings: Settings) -> None:
        store = ApiKeyStore(database, keys.pepper)
        key_id, key = await store.create(tenant, app_name, name, ends, limits, additional=additional)
        await _note(database, "key.create", tenant, key_id)
        print(f"key {key_id} of {tenant}/{app_name}, shown only now:\n{key}")

    with_database(config, data, work)


@app.command("list")
def list_(tenant: str, config: ConfigOption = None, data: DataOption = None) -> None:
    """List the keys of a tenant by the part that may be shown."""

    async def work(database: Database, keys: HouseKeys, _settings: Settings) -> None:
        found = await ApiKeyStore(database, keys.pepper).list(tenant)
        print("\n".join(map(_as_line, found)) or "none")

    with_database(config, data, work)


@app.command()
def rotate(
    key: str,
    tenant: Annotated[str, typer.Option(help="Whose key it is.")],
    overlap: Annotated[
        int, typer.Option(min=0, max=_LONGEST_OVERLAP, help="Minutes that the old key goes on working.")
    ] = 60,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Make a key that may the same and takes an old one's place, by its id. The old one ends after a while."""

    async def work(database: Database, keys: HouseKeys, _settings: Settings) -> None:
        owner = await find_tenant(database, tenant)
        if not (key.isascii() and key.isdecimal()):
            raise StorageError("a key is rotated by its id, as `promptshield key list` shows it")
        new_id, secret = await ApiKeyStore(database, keys.pepper).rotate(owner.id, int(key), timedelta(minutes=overlap))
        await _note(database, "key.rotate", tenant, int(key))
        print(f"key {new_id} takes the place of {key}, which ends in {overlap} minutes; shown only now:\n{secret}")

    with_database(config, data, work)


@app.command()
def revoke(key: str, config: ConfigOption = None, data: DataOption = None) -> None:
    """Revoke a key by its id or its beginning; every worker knows within a second."""

    async def work(database: Database, keys: HouseKeys, _settings: Settings) -> None:
        key_id, tenant_id = await ApiKeyStore(database, keys.pepper).revoke(key)
        owner = await Tenancy(database).by_id(tenant_id)
        target = f"{owner.slug}/{key_id}" if owner is not None else str(key_id)
        await AdminAudit(database).add(actor(), "key.revoke", tenant_id, target, {})
        print("revoked")

    with_database(config, data, work)


async def _note(database: Database, action: str, tenant: str, key_id: int) -> None:
    owner = await find_tenant(database, tenant)
    await AdminAudit(database).add(actor(), action, owner.id, f"{tenant}/{key_id}", {})


def _as_line(key: ApiKey) -> str:
    ends = f"  until {key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at is not None else ""
    limits = [*(key.scopes or ()), *(key.models or ())]
    may = f"  only {', '.join(limits)}" if limits else ""
    next_ = f"  rotated to {key.rotated_to}" if key.rotated_to is not None else ""
    state = key.state(datetime.now(UTC))
    return f"{key.id:>6}  {key.prefix:<14}  {key.app:<24}  {state}{ends}{next_}{may}"


def _days(text: str) -> int:
    try:
        return parse_days(text)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--expires") from None
