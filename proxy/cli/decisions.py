"""`promptshield decisions`: read the decision log."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from detectors.documents import nearest
from detectors.errors import StorageError, UnavailableError
from detectors.types import Category
from policies.types import ActionName
from proxy.cli.common import ConfigOption, DataOption, actor, with_database, with_reading_database
from proxy.cli.decision_formats import EXPORTS, as_json, as_line, as_shown
from proxy.cli.moments import parse_moment
from proxy.settings import Settings
from storage.decisions.bodies import read_bodies
from storage.decisions.conditions import DecisionFilter
from storage.decisions.decisions import DecisionReader, Following
from storage.decisions.search import DecisionSearch
from storage.keys.data_keys import DataKeys
from storage.keys.encryption import key_ring_source
from storage.keys.house_keys import HouseKeys
from storage.postgres import Database
from storage.types import Outcome

app = typer.Typer(no_args_is_help=True)
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line, all columns.")]
FromOption = Annotated[str | None, typer.Option("--from", help="Opened at or after: 2h, 7d, 2027-03-01T12:30.")]
ToOption = Annotated[str | None, typer.Option("--to", help="Opened before; written like --from.")]
TenantOption = Annotated[str | None, typer.Option(help="Only this tenant.")]
AppOption = Annotated[str | None, typer.Option("--app", help="Only apps of this name.")]
ActionOption = Annotated[str | None, typer.Option(help=f"One of {', '.join(ActionName)}.")]
OutcomeOption = Annotated[str | None, typer.Option(help=f"One of {', '.join(Outcome)}.")]
CategoryOption = Annotated[str | None, typer.Option(help="With a finding of this category.")]
RuleOption = Annotated[str | None, typer.Option(help="With a finding of this rule (PS-INJ-001).")]
ContentOption = Annotated[str | None, typer.Option(help="With a finding in this content (hmac:...).")]
ModelOption = Annotated[str | None, typer.Option(help="Only this model.")]
RequestOption = Annotated[str | None, typer.Option("--request-id", help="The client's or our request id.")]


@app.command()
def tail(
    tenant: TenantOption = None,
    limit: int = typer.Option(20, min=1, max=1000, help="How many."),
    follow: bool = typer.Option(False, "--follow", "-f", help="Go on as new ones arrive."),
    json: JsonOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Show the newest decisions, newest last."""

    async def work(database: Database) -> None:
        rows = (await DecisionSearch(database).page(DecisionFilter(tenant=tenant), limit)).rows[::-1]
        following = Following(DecisionReader(database), tenant, rows)
        while True:
            for row in rows:
                print(as_json(row) if json else as_line(row), flush=True)
            if not follow:
                return
            await asyncio.sleep(0.5)
            rows = await following.more(limit)

    _read(config, data, work)


@app.command()
def show(
    decision_id: str,
    bodies: bool = typer.Option(False, "--bodies", help="Its stored bodies too; the admin audit notes who looked."),
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Show one decision with every column."""

    async def work(database: Database) -> None:
        row = await DecisionReader(database).show(decision_id)
        if row is None:
            print("promptshield: there is no such decision", file=sys.stderr)
            raise typer.Exit(1)
        print(as_shown(row))

    async def work_with_bodies(database: Database, _keys: HouseKeys, settings: Settings) -> None:
        await work(database)
        data_keys = DataKeys(database, key_ring_source(settings.keys_folder))
        stored = await read_bodies(database, data_keys, decision_id, actor=actor())
        if not stored:
            print("promptshield: none of its bodies is stored", file=sys.stderr)
        for body in stored:
            print(f"--- {body.direction}, {body.form}{', cut' if body.cut else ''}")
            print(body.problem if body.text is None else body.text)

    if bodies:
        with_database(config, data, work_with_bodies)
    else:
        _read(config, data, work)


@app.command()
def search(
    since: FromOption = None,
    until: ToOption = None,
    tenant: TenantOption = None,
    app_name: AppOption = None,
    action: ActionOption = None,
    outcome: OutcomeOption = None,
    category: CategoryOption = None,
    rule: RuleOption = None,
    content: ContentOption = None,
    model: ModelOption = None,
    request_id: RequestOption = None,
    limit: int = typer.Option(50, min=1, max=1000, help="How many at once."),
    cursor: str | None = typer.Option(None, help="Go on where an earlier search stopped."),
    json: JsonOption = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Find decisions, newest first. All conditions must hold; rule, category and content of one finding."""
    wanted = _filter(since, until, tenant, app_name, action, outcome, category, rule, content, model, request_id)

    async def work(database: Database) -> None:
        page = await DecisionSearch(database).page(wanted, limit, cursor)
        for row in page.rows:
            print(as_json(row) if json else as_line(row))
        if page.cursor is not None:
            print(f"there is more: --cursor {page.cursor}", file=sys.stderr)

    _read(config, data, work)


@app.command()
def export(
    since: FromOption = None,
    until: ToOption = None,
    tenant: TenantOption = None,
    app_name: AppOption = None,
    action: ActionOption = None,
    outcome: OutcomeOption = None,
    category: CategoryOption = None,
    rule: RuleOption = None,
    content: ContentOption = None,
    model: ModelOption = None,
    request_id: RequestOption = None,
    form: str = typer.Option("jsonl", "--format", help=f"One of {', '.join(EXPORTS)}."),
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Write all decisions that a search finds to standard output, newest first, without what must stay erasable."""
    wanted = _filter(since, until, tenant, app_name, action, outcome, category, rule, content, model, request_id)
    header, line_of = EXPORTS[_known("--format", form, list(EXPORTS)) or "jsonl"]

    async def work(database: Database) -> None:
        due = header  # once it is known that the search is possible
        async for row in DecisionSearch(database).export(wanted):
            sys.stdout.write(due + line_of(row))
            due = ""
        sys.stdout.write(due)

    _read(config, data, work)


def _read(config: Path | None, data: Path | None, work: Callable[[Database], Awaitable[None]]) -> None:
    try:
        with_reading_database(config, data, work)
    except UnavailableError:
        raise
    except StorageError as exc:  # what was asked for is to blame
        _refuse(str(exc))


def _filter(
    since: str | None,
    until: str | None,
    tenant: str | None,
    app_name: str | None,
    action: str | None,
    outcome: str | None,
    category: str | None,
    rule: str | None,
    content: str | None,
    model: str | None,
    request_id: str | None,
) -> DecisionFilter:
    """Check what can be checked without a database. Exits with 2 at the first wrong value."""
    now = datetime.now(UTC)
    wanted = DecisionFilter(
        since=_moment("--from", since, now),
        until=_moment("--to", until, now),
        tenant=tenant,
        app=app_name,
        action=_known("--action", action, list(ActionName)),
        outcome=_known("--outcome", outcome, list(Outcome)),
        category=_known("--category", category, list(Category)),
        rule=rule,
        content=content,
        model=model,
        request_id=request_id,
    )
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        _refuse("--from is not before --to")
    return wanted


def _moment(option: str, text: str | None, now: datetime) -> datetime | None:
    try:
        return None if text is None else parse_moment(text, now)
    except ValueError as exc:
        _refuse(f"{option} '{text}': {exc}")


def _known(option: str, word: str | None, known: Sequence[str]) -> str | None:
    if word is not None and word not in known:
        _refuse(f"{option} '{word}' is none of {', '.join(known)}{nearest(word, known)}")
    return word


def _refuse(problem: str) -> NoReturn:
    print(f"promptshield: {problem}", file=sys.stderr)
    raise typer.Exit(2)
