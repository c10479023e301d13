"""`promptshield decisions mark-fp`: a false positive becomes an exclusion of its content, and a test of that."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from detectors.batch import reference
from detectors.errors import StorageError
from detectors.types import Direction, Origin
from policies.layers import Library
from policies.loader import load_policy_text
from policies.patching import with_item
from policies.quantities import parse_days
from policies.testing import run_tests, text_segment
from proxy.app import Detection, load_detection
from proxy.cli.common import ConfigOption, DataOption, actor, with_database
from proxy.cli.policy_files import refuse
from proxy.cli.policy_fmt import read_policy, replace_policy
from proxy.held_policies import held_folder
from proxy.pointer import UneditableError, resolve
from proxy.processes import run_loop
from proxy.request_reader import CodecReader
from proxy.settings import Settings
from storage.bodies import read_bodies
from storage.data_keys import DataKeys
from storage.decisions import DecisionReader
from storage.house_keys import HouseKeys
from storage.key_encryption import key_ring_source
from storage.policy_versions import PolicyVersions
from storage.postgres import Database

# Authors by whom a test can have a text.
_TESTED: Final = frozenset({Origin.USER, Origin.TOOL, Origin.SYSTEM, Origin.ASSISTANT})
_LONGEST: Final = 64 << 10  # characters of a text that becomes a test


@dataclass(frozen=True, slots=True)
class _Marked:
    """What the log has of the decision: its row, the findings to excuse, and their texts where they could be had."""

    row: dict[str, Any]
    scores: Sequence[dict[str, Any]]
    texts: dict[str, str]
    settings: Settings


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

    async def work(database: Database, keys: HouseKeys, settings: Settings) -> _Marked:
        return await _find(database, keys, settings, decision_id, rule, given)

    marked = with_database(config, data, work)
    file = _policy_file(marked)
    before = read_policy(file) if file.is_file() else "extends: preset/standard\n"
    after = _patched(before, file, marked, owner or actor(), reason, last_day, load_detection())
    print("".join(difflib.unified_diff(_lines(before), _lines(after), str(file), str(file))), end="")
    if write:
        print(_write(file, after, marked, f"{reason} ({decision_id})", config, data))


async def _find(
    database: Database, keys: HouseKeys, settings: Settings, decision_id: str, rule: str | None, given: str | None
) -> _Marked:
    row = await DecisionReader(database).show(decision_id)
    if row is None:
        raise StorageError("there is no such decision")
    scores = [s for s in row["scores"] if (s["rule"] == rule if rule else s["policy_rule"] and s["action"] != "flag")]
    scores = [score for score in scores if score["content"] != "hmac:"]
    if not scores:
        raise StorageError(f"nothing that {rule or 'a rule'} found decided there")
    content_key = keys.tenant_content_key(row["tenant_id"])
    texts = {}
    if given is not None:
        texts = {content_of(given, content_key): given}
        if not any(score["content"] in texts for score in scores):
            raise StorageError("that is not the text in which it was found, character by character")
    else:
        data_keys = DataKeys(database, key_ring_source(settings.keys_folder))
        for body in await read_bodies(database, data_keys, decision_id, actor=actor(), reason="mark-fp"):
            if body.form == "encrypted" and body.text is not None:
                texts |= {content_of(found, content_key): found for found in _texts(body.text, body.direction, scores)}
    return _Marked(row, scores, texts, settings)


def content_of(text: str, content_key: bytes) -> str:
    """Return a text's keyed hash as decisions and exclusions have it."""
    return f"hmac:{reference(text_segment(text, Origin.USER), content_key).content}"


def _texts(body: str, direction: str, scores: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the texts of a stored body in which something was found, where the row tells their whole place."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return
    for score in scores:
        if score["direction"] == direction and "*" not in score["pointer"]:
            try:
                found = resolve(document, score["pointer"])
            except UneditableError:
                continue
            if isinstance(found, str):
                yield found


def _policy_file(marked: _Marked) -> Path:
    name, settings = marked.row["policy_id"], marked.settings
    held = held_folder(settings) / f"{name}.yaml"
    own = settings.policies_folder / f"{name}.yaml"
    return held if held.is_file() and not own.is_file() else own


def _patched(
    text: str, file: Path, marked: _Marked, owner: str, reason: str, last_day: date, detection: Detection
) -> str:
    """Add the exclusions, then a test for each text that can be one; the test expects what is then decided."""
    for score in marked.scores:
        scope = {"rule": score["rule"], "origin": score["origin"], "content": score["content"]}
        text = with_item(text, file, "exclusions", {**scope, "until": str(last_day), "owner": owner, "reason": reason})
    for content in dict.fromkeys(score["content"] for score in marked.scores):
        score = next(score for score in marked.scores if score["content"] == content)
        judged = marked.texts.get(content)
        if judged is not None and len(judged) <= _LONGEST and Origin(score["origin"]) in _TESTED:
            text = _with_test(text, file, marked, score, judged, detection)
    return text


def _with_test(text: str, file: Path, marked: _Marked, score: dict[str, Any], judged: str, detection: Detection) -> str:
    author = "answer" if score["direction"] == Direction.RESPONSE else score["origin"]
    test: dict[str, Any] = {
        "name": f"no false positive any more ({marked.row['id']})",
        author: judged,
        "content": score["content"],
        "at": f"{datetime.now(UTC):%Y-%m-%d}",
        "expect": "allow",
    }
    trial = with_item(text, file, "tests", test)
    loaded = load_policy_text(trial, file, file.stem, library=Library(marked.settings.policies_folder))
    reader = CodecReader(detection.codecs)
    result = run_loop(run_tests(loaded, detection.chain, detection.actions, reader, loaded.tests[-1:]))[0]
    return with_item(text, file, "tests", test | {"expect": str(result.action)})


def _write(file: Path, text: str, marked: _Marked, reason: str, config: Path | None, data: Path | None) -> str:
    name = str(marked.row["policy_id"])
    loaded = load_policy_text(text, file, name, library=Library(marked.settings.policies_folder))
    if file.is_relative_to(held_folder(marked.settings)):

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
