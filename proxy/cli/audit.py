"""`promptshield audit`: prove that the decision log is what was written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer

from detectors.errors import StorageError
from proxy.cli.common import ConfigOption, DataOption, progress, with_database
from proxy.cli.moments import parse_moment
from proxy.settings import Settings, load_settings
from storage.chains.key_rotation import rotate_signing_key
from storage.chains.signing import SigningKey, key_id, read_successions
from storage.chains.statement_file import read_statements
from storage.chains.verify import Believed, Report, Scope, verify
from storage.keys.house_keys import HouseKeys, open_house_keys
from storage.postgres import Database
from storage.subjects import personal_digest

app = typer.Typer(no_args_is_help=True)
_DAMAGED = 3  # what nothing else ends with: not being able to look is no damage


@app.command("verify")
def verify_(
    since: Annotated[str, typer.Option("--from", help="ISO time, or 2h, 7d ago; default: the beginning.")] = "",
    until: Annotated[str, typer.Option("--to", help="Likewise, not in it; default: the end.")] = "",
    tenant: Annotated[str, typer.Option(help="Only this tenant.")] = "",
    checkpoints: Annotated[
        Path | None, typer.Option(help="Folder of published checkpoints (default: <data>/checkpoints).")
    ] = None,
    public_key: Annotated[
        list[Path] | None, typer.Option(help="File with a public key in hex to believe, instead of our own.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The report as one JSON object.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Check every row against its chain, and the chains against what was signed; exit 3 if anything does not fit.

    Rows after the newest checkpoint hang on their chain alone: they are counted as "not signed yet".
    """
    scope = Scope(_moment(since), _moment(until), tenant or None)
    anchors = [_public_key(file) for file in public_key or ()]

    async def work(database: Database, keys: HouseKeys, settings: Settings) -> Report:
        folder = checkpoints or settings.checkpoints_folder
        if checkpoints is not None and not checkpoints.is_dir():
            raise StorageError(f"{checkpoints} is no folder")
        published = read_statements(folder) if folder.is_dir() else None
        if published is None:
            progress("no checkpoints outside the database: that it was put back to an older state would not show")
        return await verify(database, scope, Believed(anchors or _own_keys(keys, settings), published, _Digests(keys)))

    report = with_database(config, data, work)
    print(orjson.dumps(asdict(report)).decode() if json else "\n".join(_lines(report)))
    if report.damage_count:
        raise typer.Exit(_DAMAGED)


@app.command()
def key(config: ConfigOption = None, data: DataOption = None) -> None:
    """Print the public signing key in hex; keep it where the database's administrators do not write."""
    settings = load_settings(config, data=data)
    public = SigningKey(open_house_keys(settings.keys_folder).signing).public
    progress(f"key {key_id(public)}")
    print(public.hex())


@app.command("rotate-key")
def rotate_key(config: ConfigOption = None, data: DataOption = None) -> None:
    """Make a new signing key, introduced by the old one. A running server takes it at its next start."""
    old, new = rotate_signing_key(load_settings(config, data=data).keys_folder)
    print(f"{old} handed over to {new}")


def _own_keys(keys: HouseKeys, settings: Settings) -> Sequence[bytes]:
    return [SigningKey(keys.signing).public, *(step.old for step in read_successions(settings.keys_folder))]


class _Digests:
    """Compares personal data with the digest in the chain, under the content key of the row's tenant."""

    def __init__(self, keys: HouseKeys) -> None:
        self._keys = keys
        self._of_tenant: dict[int, bytes] = {}

    def __call__(self, tenant_id: int, personal: str, digest: str) -> bool:
        if not digest:
            return personal == "{}"  # recorded before there was a digest
        content_key = self._of_tenant.get(tenant_id) or self._keys.tenant_content_key(tenant_id)
        self._of_tenant[tenant_id] = content_key
        return personal_digest(content_key, personal) == digest


def _lines(report: Report) -> list[str]:
    lines = [
        f"{d.kind:<11} {d.instance}  tenant {d.tenant_id or '-'}  link {d.seq or '-'}  {d.decision_id or '-'}  {d.note}"
        for d in report.damages
    ]
    if report.damage_count > len(report.damages):
        lines.append(f"... and {report.damage_count - len(report.damages)} more")
    verdict = f"{report.damage_count} DAMAGED" if report.damage_count else "intact"
    lines.append(
        f"{verdict}: {report.rows} rows in {report.chains} chains, {report.statements} signed statements;"
        f" {report.retired} retired, {report.unsigned} not signed yet, {report.unchained} from before the chain;"
        f" {report.admin_events} admin events"
    )
    return lines


def _moment(text: str) -> datetime | None:
    try:
        return parse_moment(text, datetime.now(UTC)) if text else None
    except ValueError as exc:
        raise typer.BadParameter(f"'{text}': {exc}") from exc


def _public_key(file: Path) -> bytes:
    try:
        public = bytes.fromhex(file.read_text().strip())
    except (OSError, ValueError) as exc:
        raise typer.BadParameter(f"{file} holds no public key in hex") from exc
    if len(public) != 32:
        raise typer.BadParameter(f"{file} holds no Ed25519 key: {len(public)} bytes instead of 32")
    return public
