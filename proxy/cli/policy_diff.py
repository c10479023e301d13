"""`promptshield policy diff`: two policies side by side, by what they decide."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from policies.difference import Change, Difference, difference
from proxy.app import load_detection
from proxy.cli.policy_files import JsonOption, load_named


def run(
    before: Annotated[Path, typer.Argument(help="A policy file, a preset or a pack.")],
    after: Annotated[Path, typer.Argument(help="What takes its place.")],
    json: JsonOption = False,
) -> None:
    """Say which decisions can change when one policy takes another's place, with an example each. Exit 1 if any."""
    detection = load_detection()
    old, new = load_named(before, detection).policy, load_named(after, detection).policy
    found = difference(old, new, detection.rules, detection.actions, time.time())
    print(orjson.dumps(_document(found), option=orjson.OPT_INDENT_2).decode() if json else "\n".join(_lines(found)))
    raise typer.Exit(0 if found.empty else 1)


def _lines(found: Difference) -> Iterator[str]:
    if found.empty:
        yield "no decision can change"
    for change in sorted(found.changes, key=lambda change: change.before.weight - change.after.weight):
        yield from _change_lines(change)
    if found.settings:
        yield "settings:"
        yield from (f"  {name}: {before} -> {after}" for name, before, after in found.settings)
    yield from found.rules
    yield from found.exclusions
    if not found.changes and not found.empty:
        yield "no finding is decided otherwise"


def _change_lines(change: Change) -> Iterator[str]:
    segment, hit = change.case.finding.segment, change.case.finding.hit
    by = f"rule {change.rule_before or 'none'} -> rule {change.rule_after or 'none'}"
    what = f"{hit.category} in a {segment.direction}"
    yield f"{change.before} -> {change.after}: {what} ({by}; {change.count} cases)"
    who = f"{hit.rule_id} {change.case.source}".strip()
    yield f"  such as {who}, origin {segment.origin}{_circumstances(change)}"
    if change.case.example:
        first = change.case.example.splitlines()[0][:120]
        # Examples of attacks hold characters that turn a terminal's lines around.
        yield f"    {''.join(c if c.isprintable() else f'<U+{ord(c):04X}>' for c in first)}"


def _circumstances(change: Change) -> str:
    facts = change.facts
    named = ("app", "model", "upstream", "dialect", "route", "roles", "language", "network", "cost", "risk")
    given = [
        f"{name} {', '.join(value) if isinstance(value, tuple) else value}"
        for name in named
        if (value := getattr(facts, name, ""))
    ]
    return f", {', '.join(given)}" if given else ""


def _document(found: Difference) -> dict[str, Any]:
    return {
        "changes": [
            {
                "before": c.before, "after": c.after, "rule_before": c.rule_before, "rule_after": c.rule_after,
                "cases": c.count, "category": c.case.finding.hit.category, "found_by": c.case.finding.hit.rule_id,
                "direction": c.case.finding.segment.direction, "origin": c.case.finding.segment.origin,
                "example": c.case.example,
            }
            for c in found.changes
        ],
        "settings": [{"name": name, "before": before, "after": after} for name, before, after in found.settings],
        "rules": found.rules,
        "exclusions": found.exclusions,
    }  # fmt: skip
