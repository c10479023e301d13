"""`promptshield admin`: who may sign in to the control plane; also the way back in when nobody can."""

from __future__ import annotations

from typing import Annotated

import typer

from detectors.errors import StorageError
from proxy.cli.common import ConfigOption, DataOption, actor, find_tenant, with_database
from proxy.control.access.passwords import Passwords, one_time_password
from proxy.control.access.types import PLATFORM_ROLES, AdminRole
from proxy.settings import Settings
from storage.accounts.admin_audit import AdminAudit
from storage.accounts.second_factors import SecondFactors
from storage.accounts.sessions import SessionStore
from storage.accounts.token_keys import TokenKeys
from storage.accounts.users import NewUser, User, UserStore
from storage.keys.house_keys import HouseKeys
from storage.postgres import Database

app = typer.Typer(no_args_is_help=True)


@app.command()
def create(
    name: str,
    role: Annotated[AdminRole, typer.Option(help="What they may do (docs/access.md).")] = AdminRole.PLATFORM_ADMIN,
    tenant: Annotated[str, typer.Option(help="Whose administrator, analyst or auditor.")] = "",
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Make an account and print its one-time password, to be changed at the first sign-in."""
    if bool(tenant) != (role not in PLATFORM_ROLES) and role is not AdminRole.AUDITOR:
        raise typer.BadParameter(f"a {role} belongs to {'no tenant' if tenant else 'a tenant: name it with --tenant'}")

    async def work(database: Database, _keys: HouseKeys, _settings: Settings) -> str:
        tenant_id = (await find_tenant(database, tenant)).id if tenant else None
        password = one_time_password()
        hashed = await Passwords().hash(password)
        user = await UserStore(database).create(NewUser(name.lower(), role, tenant_id, hashed, must_change=True))
        await _note(database, "users.create", user, after={"role": role, "tenant": tenant or None})
        return password

    print(with_database(config, data, work, new=True))


@app.command("reset-password")
def reset_password(
    name: str,
    second_factor: Annotated[bool, typer.Option(help="Remove the second factor too: the phone is lost.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Print a new one-time password; all sessions of the account end."""

    async def work(database: Database, keys: HouseKeys, settings: Settings) -> str:
        user, users = await _find(database, name), UserStore(database)
        password = one_time_password()
        await users.set_password(user.id, await Passwords().hash(password), must_change=True)
        if second_factor:
            await SecondFactors(database, keys.access_key("second factors")).remove(user.id)
        await _sessions(database, keys, settings).end_all(user.id, "the password was reset")
        await _note(database, "users.reset_password", user, after={"second_factor_removed": second_factor})
        return password

    print(with_database(config, data, work))


@app.command("list")
def list_(config: ConfigOption = None, data: DataOption = None) -> None:
    """List all accounts."""

    async def work(database: Database, _keys: HouseKeys, _settings: Settings) -> None:
        store, after = UserStore(database), 0
        while users := await store.list(after=after):
            for user in users:
                print(_line(user))
            after = users[-1].id

    with_database(config, data, work)


@app.command()
def disable(
    name: str,
    undo: Annotated[bool, typer.Option("--undo", help="Let the account in again.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Keep an account out, and end its sessions."""

    async def work(database: Database, keys: HouseKeys, settings: Settings) -> None:
        user = await _find(database, name)
        await UserStore(database).change(user.id, enabled=undo)
        if not undo:
            await _sessions(database, keys, settings).end_all(user.id, "the account was disabled")
        await _note(database, "users.enable" if undo else "users.disable", user)
        print(f"{user.name} is {'enabled' if undo else 'disabled'}")

    with_database(config, data, work)


@app.command("rotate-token-key")
def rotate_token_key(config: ConfigOption = None, data: DataOption = None) -> None:
    """Sign access tokens with a new key from now on; those of the one before stay good until they end."""

    async def work(database: Database, keys: HouseKeys, _settings: Settings) -> None:
        kid = await TokenKeys(database, keys.access_key("token keys")).rotate()
        await AdminAudit(database).add(actor(), "token_key.rotate", None, kid, {})
        print(f"key {kid} signs from now on")

    with_database(config, data, work)


async def _find(database: Database, name: str) -> User:
    user = await UserStore(database).find(name.lower())
    if user is None:
        raise StorageError(f'there is no account "{name}"')
    return user


def _sessions(database: Database, keys: HouseKeys, settings: Settings) -> SessionStore:
    return SessionStore(
        database, keys.access_key("sessions"), settings.control.sessions.idle, settings.control.sessions.absolute
    )


async def _note(database: Database, action: str, user: User, **details: object) -> None:
    await AdminAudit(database).add(actor(), action, user.tenant_id, user.name, details)


def _line(user: User) -> str:
    marks = ["" if user.enabled else "disabled", "must change the password" if user.must_change else ""]
    marks.append("second factor" if user.second_factor else "")
    seen = user.last_sign_in_at.isoformat(timespec="seconds") if user.last_sign_in_at else "never signed in"
    return f"{user.name:<40}  {user.role:<14}  {user.tenant or '-':<20}  {seen:<25}  {', '.join(filter(None, marks))}"
