"""`promptshield objects`: what lives at providers and was made before the firewall, or past it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from detectors.errors import StorageError
from proxy.cli.common import ConfigOption, DataOption, actor, find_tenant, with_database
from proxy.settings import Settings
from storage.accounts.admin_audit import AdminAudit
from storage.keys.house_keys import HouseKeys
from storage.postgres import Database
from storage.provider_objects import ProviderObjects
from storage.types import ObjectName

app = typer.Typer(no_args_is_help=True)
_AT_ONCE = 1000


@app.callback()
def objects() -> None:
    """Objects at providers that requests may lean on."""


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="One id a line; - for standard input.")],
    tenant: Annotated[str, typer.Option(help="Whose they are.")],
    upstream: Annotated[str, typer.Option(help="Where they live: an upstream's name.")],
    kind: Annotated[str, typer.Option(help="As in response, conversation, file.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Let a tenant's requests lean on objects that were not made through here. Nobody has scanned what is in them."""
    try:
        lines = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise StorageError(f"{file}: {getattr(exc, 'strerror', None) or 'not UTF-8 text'}") from exc
    ids = list(dict.fromkeys(line.strip() for line in lines.splitlines() if line.strip()))  # each counts once

    async def work(database: Database, _keys: HouseKeys, _settings: Settings) -> None:
        owner, store, noted = await find_tenant(database, tenant), ProviderObjects(database), 0
        for start in range(0, len(ids), _AT_ONCE):
            names = {ObjectName(kind, id_) for id_ in ids[start : start + _AT_ONCE]}
            noted += await store.note(owner.id, upstream, names)
        said = {"kind": kind, "upstream": upstream, "ids": noted}
        await AdminAudit(database).add(actor(), "objects.import", owner.id, tenant, said)
        print(f"{noted} of {len(ids)} ids noted as {kind} of {tenant} at {upstream}")
        if noted < len(ids):
            raise StorageError("the others can be no ids, or there is no such kind: letters, digits and . _ : / + = -")

    with_database(config, data, work)
