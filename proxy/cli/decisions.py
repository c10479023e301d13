"""`promptshield decisions`: read the decision log."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any

import orjson
import typer

from proxy.cli.common import ConfigOption, DataOption, with_database
from proxy.settings import Settings
from storage.decisions import DecisionReader
from storage.house_keys import HouseKeys
from storage.postgres import Database

app = typer.Typer(no_args_is_help=True)
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line, all columns.")]


@app.command()
def tail(
    tenant: str = typer.Option("", help="Only this tenant."),
    limit: int = typer.Option(20, min=1, max=1000, help="How many."),
    follow: bool = typer.Option(False, "--follow", "-f", help="Go on as new ones arrive."),
    json: JsonOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Show the newest decisions, newest last."""

    async def work(database: Database, _keys: HouseKeys, _settings: Settings) -> None:
        reader = DecisionReader(database)
        last: str | None = None
        while True:
            for row in await reader.tail(tenant or None, limit, after=last):
                print(_as_json(row) if json else _as_line(row), flush=True)
                last = row["id"]
            if not follow:
                return
            await asyncio.sleep(0.5)

    with_database(config, data, work)


@app.command()
def show(decision_id: str, config: ConfigOption = None, data: DataOption = None) -> None:
    """Show one decision with every column."""

    async def work(database: Database, _keys: HouseKeys, _settings: Settings) -> None:
        row = await DecisionReader(database).show(decision_id)
        if row is None:
            print("there is no such decision")
            raise typer.Exit(1)
        print(orjson.dumps(row, default=str, option=orjson.OPT_INDENT_2).decode())

    with_database(config, data, work)


def _as_json(row: dict[str, Any]) -> str:
    return orjson.dumps(row, default=str).decode()


def _as_line(row: dict[str, Any]) -> str:
    opened: datetime = row["opened_at"]
    found = f"{row['category']} {row['confidence']:.2f}" if row["confidence"] else row["category"]
    where = f"{row['tenant']}/{row['app']}"
    action = row["action"] if row["action"] == row["intended_action"] else f"{row['action']}({row['intended_action']})"
    return (
        f"{opened.astimezone():%H:%M:%S}  {action:<8} {row['outcome']:<17} {row['status']}  {where:<20} "
        f"{row['model'][:24]:<24} {row['overhead_ms']:>7.2f} ms  {found:<28} {row['id']}"
    )
