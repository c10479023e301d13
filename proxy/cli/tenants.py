"""`promptshield tenant`: create, list, suspend, delete, restore and purge tenants."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import orjson
import typer

from detectors.errors import UnknownTenantError
from policies.quantities import parse_days
from proxy.cli.common import ConfigOption, DataOption, actor, progress, with_database
from proxy.settings import Settings
from storage.accounts.admin_audit import AdminAudit
from storage.keys.house_keys import HouseKeys
from storage.postgres import Database
from storage.tenants.tenancy import LEAST_GRACE, Tenancy, TenantState
from storage.tenants.tenants import TenantStore

app = typer.Typer(no_args_is_help=True)
SlugArgument = Annotated[str, typer.Argument(help="The tenant.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it stands in the admin audit.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
_MOST = 10_000


@app.command()
def create(slug: str, name: str = "", config: ConfigOption = None, data: DataOption = None) -> None:
    """Create a tenant with an app called default. Its policy is <data>/policies/<slug>.yaml."""

    async def work(database: Database, _keys: HouseKeys, settings: Settings) -> None:
        tenant = await TenantStore(database).create(slug, name)
        await AdminAudit(database).add(actor(), "tenant.create", tenant.id, slug, {"name": name} if name else {})
        print(f"tenant {tenant.slug} created (id {tenant.id})")
        print(f"policy: {settings.policies_folder / f'{slug}.yaml'} (until it exists, default.yaml serves)")

    with_database(config, data, work, new=True)


@app.command("list")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Deleted ones too.")] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """List tenants, and what became of them."""

    async def work(database: Database, _keys: HouseKeys, _settings: Settings) -> None:
        known = await Tenancy(database).list(after=0, limit=_MOST, only=None)
        shown = [tenant for tenant in known if all_ or tenant.deleted_at is None]
        for tenant in shown:
            print(_as_json(tenant) if json else _as_line(tenant))
        if len(shown) < len(known):
            progress(f"and {len(known) - len(shown)} deleted: --all shows them")

    with_database(config, data, work)


@app.command()
def suspend(slug: SlugArgument, reason: ReasonOption, config: ConfigOption = None, data: DataOption = None) -> None:
    """Let none of a tenant's keys work until it is resumed; every worker knows within a second."""
    _change(
        slug, "tenant.suspend", lambda tenancy, tenant: tenancy.suspend(tenant.id), {"reason": reason}, config, data
    )
    print(f"{slug} is suspended")


@app.command()
def resume(slug: SlugArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Let a suspended tenant's keys work again."""
    _change(slug, "tenant.resume", lambda tenancy, tenant: tenancy.resume(tenant.id), {}, config, data)
    print(f"{slug} is active")


@app.command()
def delete(
    slug: SlugArgument,
    reason: ReasonOption,
    grace: Annotated[str, typer.Option(help="How long it can be restored: 30d, 12w; three days at least.")] = "30d",
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """End a tenant: its keys and logins at once, and all that it has when the time of grace is over."""
    try:
        days = parse_days(grace)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--grace") from None
    if days < LEAST_GRACE.days:
        raise typer.BadParameter(f"'{grace}' is less than three days", param_hint="--grace")
    said = {"reason": reason, "grace_days": days}

    async def do(tenancy: Tenancy, tenant: TenantState) -> None:
        until = await tenancy.delete(tenant.id, timedelta(days=days))
        print(f"{slug} is deleted; it can be restored until {until:%Y-%m-%d %H:%M} UTC")

    _change(slug, "tenant.delete", do, said, config, data)


@app.command()
def restore(slug: SlugArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Bring a deleted tenant back, with everything that it had."""
    _change(slug, "tenant.restore", lambda tenancy, tenant: tenancy.restore(tenant.id), {}, config, data)
    print(f"{slug} is back")


@app.command()
def purge(
    slug: SlugArgument,
    reason: ReasonOption,
    sure: Annotated[str, typer.Option("--yes", help="The tenant's slug once more: nothing brings it back.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Have all that is left of a deleted tenant removed now; the running firewall does it within a minute."""
    if sure != slug:
        raise typer.BadParameter("is not the tenant's slug", param_hint="--yes")
    said = {"reason": reason}
    _change(slug, "tenant.purge", lambda tenancy, tenant: tenancy.hasten_purge(tenant.id), said, config, data)
    print(f"{slug} will be gone within a minute of the firewall running")


def _change(
    slug: str,
    action: str,
    do: Callable[[Tenancy, TenantState], Awaitable[object]],
    said: Mapping[str, object],
    config: Path | None,
    data: Path | None,
) -> None:
    """Do something to a tenant, and note it in the admin audit."""

    async def work(database: Database, _keys: HouseKeys, _settings: Settings) -> None:
        tenancy = Tenancy(database)
        tenant = await tenancy.find(slug)
        if tenant is None:
            raise UnknownTenantError(f'there is no tenant "{slug}"')
        await do(tenancy, tenant)
        await AdminAudit(database).add(actor(), action, tenant.id, slug, {"before": tenant.state, **said})

    with_database(config, data, work)


def _as_line(tenant: TenantState) -> str:
    left = f"  until {tenant.purge_after:%Y-%m-%d}" if tenant.purge_after is not None else ""
    return f"{tenant.id:>6}  {tenant.slug:<38}  {tenant.state:<9}  {tenant.name}{left}"


def _as_json(tenant: TenantState) -> str:
    return orjson.dumps({**{name: getattr(tenant, name) for name in tenant.__slots__}, "state": tenant.state}).decode()
