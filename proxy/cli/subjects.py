"""`promptshield subject`: find, export and erase what the decision log holds about a person."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from detectors.errors import StorageError
from proxy.cli.common import ConfigOption, DataOption, actor, find_tenant, with_database
from proxy.settings import Settings
from storage.keys.data_keys import DataKeys
from storage.keys.encryption import key_ring_source
from storage.keys.house_keys import HouseKeys
from storage.postgres import Database
from storage.subject_log import SubjectLog

app = typer.Typer(no_args_is_help=True)
JsonObject = dict[str, Any]
TenantOption = Annotated[str, typer.Option("--tenant", help="Whose decisions.")]
Identifier = Annotated[
    str,
    typer.Argument(
        help="E-mail address, telephone, card, network address or user id; '-' reads it from standard input."
    ),
]


@app.command()
def find(identifier: Identifier, tenant: TenantOption, config: ConfigOption = None, data: DataOption = None) -> None:
    """List the decisions about a person, oldest first."""
    sought = _given(identifier)

    async def work(database: Database, keys: HouseKeys, _settings: Settings) -> None:
        log = await _log(database, keys, tenant)
        async for row in log.find(sought):
            print(f"{row['opened_at']:%Y-%m-%d %H:%M:%S}  {row['action']:<8} {row['outcome']:<17} {row['id']}")

    with_database(config, data, work)


@app.command()
def export(
    identifier: Identifier,
    tenant: TenantOption,
    out: Annotated[Path | None, typer.Option(help="A new file (0600); else standard output.")] = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Write the decisions about a person, with their stored bodies in clear, as JSON lines."""
    sought = _given(identifier)

    async def work(database: Database, keys: HouseKeys, settings: Settings) -> None:
        log = await _log(database, keys, tenant)
        rows = log.export(sought, DataKeys(database, key_ring_source(settings.keys_folder)))
        await _write(rows, out)

    with_database(config, data, work)


@app.command()
def erase(
    identifier: Identifier,
    tenant: TenantOption,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Erase bodies and personal data of every decision about a person; rows and chain stay."""
    sought = _given(identifier)
    if not yes:
        typer.confirm("Erase for good what the decision log holds about this person?", abort=True)

    async def work(database: Database, keys: HouseKeys, _settings: Settings) -> None:
        erased = await (await _log(database, keys, tenant)).erase(sought)
        print(
            f"erased: {erased.bodies} bodies and the personal data of {erased.decisions} decisions,"
            f" {erased.dead_letters} dead letters; what still arrives from before now is erased too"
        )

    with_database(config, data, work)


def _given(identifier: str) -> str:
    # An argument stays in the shell's history and shows in the list of processes.
    return sys.stdin.readline().strip() if identifier == "-" else identifier


async def _log(database: Database, keys: HouseKeys, tenant: str) -> SubjectLog:
    found = await find_tenant(database, tenant)
    return SubjectLog(database, found, keys.tenant_content_key(found.id), actor())


async def _write(rows: AsyncIterator[JsonObject], out: Path | None) -> None:
    if out is None:
        async for row in rows:
            print(_line(row))
        return
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as exc:
        raise StorageError(f"{out}: {exc.strerror}") from exc
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        async for row in rows:
            opened.write(_line(row) + "\n")


def _line(row: JsonObject) -> str:
    return orjson.dumps(row, default=str).decode()
