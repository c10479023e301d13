"""`promptshield decisions mark-fp`: a false positive becomes an exclusion of its content, and a test of that."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from detectors.errors import StorageError
from policies.loader import load_policy_text
from policies.quantities import parse_days
from proxy.app import load_detection
from proxy.cli.common import ConfigOption, DataOption, actor, with_database
from proxy.cli.policy_files import installed_signatures, refuse
from proxy.cli.policy_fmt import read_policy, replace_policy
from proxy.false_positives import Excuse, Marked, mark, patched
from proxy.held_policies import held_folder, library_of
from proxy.runtime.processes import run_loop
from proxy.settings import Settings
from storage.decisions.decisions import DecisionReader
from storage.keys.house_keys import HouseKeys
from storage.policy_versions import PolicyVersions
from storage.postgres import Database


def mark_fp(
    decision_id: str,
    owner: Annotated[str, typer.Option(help="Who answers for it (default: you).")] = "",
    reason: Annotated[str, typer.Option(help="Why it is none.")] = "false positive",
    until: Annotated[str, typer.Option(help="For how long: 90d, 12w, 1y.")] = "90d",
    rule: Annotated[str | None, typer.Option(help="Only what this rule found (default: all that decided).")] = None,
    text: Annotated[Path | None, typer.Option(help="A file with its text, for a test.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Change the policy's file, or save a draft version.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Print a patch that excuses what a decision found, in this content and until a day; with its text also a test."""
    try:
        last_day = datetime.now(UTC).date() + timedelta(parse_days(until))
    except ValueError as exc:
        refuse(f"--until '{until}': {exc}")
    given = None if text is None else _read(text)

    async def work(database: Database, keys: HouseKeys, settings: Settings) -> tuple[Marked, Settings]:
        return await _find(database, keys, decision_id, rule, given), settings

    marked, settings = with_database(config, data, work)
    file = _policy_file(marked, settings)
    before = read_policy(file) if file.is_file() else "extends: preset/standard\n"
    excuse = Excuse(owner or actor(), reason, last_day)
    detection = load_detection()
    added = installed_signatures(settings, detection, marked.row["policy_id"])
    place = (marked.row["policy_id"], file)
    after: str = run_loop(patched(before, place, marked, excuse, detection, library_of(settings), added))
    print("".join(difflib.unified_diff(_lines(before), _lines(after), str(file), str(file))), end="")
    if write:
        print(_write(file, after, marked, settings, f"{reason} ({decision_id})", config, data))


async def _find(database: Database, keys: HouseKeys, decision_id: str, rule: str | None, given: str | None) -> Marked:
    row = await DecisionReader(database).show(decision_id)
    if row is None:
        raise StorageError("there is no such decision")
    return mark(row, rule, given, keys.tenant_content_key(row["tenant_id"]))


def _policy_file(marked: Marked, settings: Settings) -> Path:
    name = marked.row["policy_id"]
    held = held_folder(settings) / f"{name}.yaml"
    own = settings.policies_folder / f"{name}.yaml"
    return held if held.is_file() and not own.is_file() else own


def _write(
    file: Path, text: str, marked: Marked, settings: Settings, reason: str, config: Path | None, data: Path | None
) -> str:
    name = str(marked.row["policy_id"])
    loaded = load_policy_text(text, file, name, library=library_of(settings))
    if file.is_relative_to(held_folder(settings)):

        async def work(database: Database, _keys: HouseKeys, _settings: Settings) -> int:
            return await PolicyVersions(database).save(name, text, loaded.policy.revision, actor(), reason)

        number = with_database(config, data, work)
        return f"saved as version {number}: promptshield policy promote {name}"
    replace_policy(file, text)
    return f"written: {file}"


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except OSError as exc:
        refuse(f"{file}: {exc.strerror}")
    except UnicodeDecodeError:
        refuse(f"{file}: not UTF-8 text")
