"""What tools and documents look like: texts in which a sentence may stand."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random  # noqa: TID251 - seeded, so that training can be repeated
from typing import Final

Carrier = Callable[[Sequence[str], Random], str]


def _json(lines: Sequence[str], chance: Random) -> str:
    keys = chance.sample(
        ["title", "text", "summary", "notes", "description", "content", "result", "comment"], len(lines)
    )
    record: dict[str, object] = {"id": chance.randrange(10_000), **dict(zip(keys, lines, strict=True))}
    return json.dumps({"results": [record]} if chance.random() < 0.4 else record, ensure_ascii=False)


def _mail(lines: Sequence[str], chance: Random) -> str:
    name = chance.choice(["Anna", "Ben", "Chidi", "Dora", "Emre", "Fatima"])
    subject = chance.choice(["Update", "Re: Friday", "Your order", "Minutes", "Question", "Invoice 2041"])
    return f"From: {name.lower()}@team.example\nSubject: {subject}\n\nHi,\n" + "\n".join(lines) + f"\nBest, {name}"


def _page(lines: Sequence[str], chance: Random) -> str:
    title = chance.choice(["News", "Product page", "About us", "Guide", "Archive"])
    hidden = chance.random() < 0.3
    body = "".join(f"<p>{line}</p>" for line in lines[:-1])
    last = f"<!-- {lines[-1]} -->" if hidden else f"<div class='note'>{lines[-1]}</div>"
    return f"<html><title>{title}</title><body>{body}{last}</body></html>"


def _markdown(lines: Sequence[str], chance: Random) -> str:
    head = chance.choice(["# Overview", "## Notes", "# README", "## Changes", "# Report"])
    return head + "\n\n" + "\n".join(f"- {line}" for line in lines)


def _log(lines: Sequence[str], chance: Random) -> str:
    hour = chance.randrange(24)
    levels = ["INFO", "WARN", "DEBUG"]
    return "\n".join(
        f"2026-03-0{i % 9 + 1} {hour:02}:{i * 7 % 60:02} {chance.choice(levels)} {line}" for i, line in enumerate(lines)
    )


def _table(lines: Sequence[str], chance: Random) -> str:
    return "id,date,note\n" + "\n".join(
        f'{chance.randrange(999)},2026-05-{i + 10},"{line}"' for i, line in enumerate(lines)
    )


def _code(lines: Sequence[str], chance: Random) -> str:
    mark = chance.choice(["# ", "// ", "-- "])
    return "\n".join(
        [f"{mark}{lines[0]}", "def total(items):", "    return sum(items)", *(mark + line for line in lines[1:])]
    )


def _prose(lines: Sequence[str], _chance: Random) -> str:
    return " ".join(lines)


def _calendar(lines: Sequence[str], chance: Random) -> str:
    return (
        f"BEGIN:VEVENT\nSUMMARY:{chance.choice(['Sync', 'Dinner', 'Review'])}\nDESCRIPTION:"
        + " ".join(lines)
        + "\nEND:VEVENT"
    )


def _chat(lines: Sequence[str], chance: Random) -> str:
    names = ["mia", "leo", "sam"]
    return "\n".join(f"{chance.choice(names)}: {line}" for line in lines)


def _tool(lines: Sequence[str], chance: Random) -> str:
    name = chance.choice(["lookup", "search", "get_record", "analyser", "monitor", "planner", "reader"])
    said = chance.choice(["The output of {} is: ", "Observation from {}: ", "{} returned: ", "[{}] "])
    return said.format(name) + " ".join(lines)


CARRIERS: Final[tuple[Carrier, ...]] = (
    _json, _mail, _page, _markdown, _log, _table, _code, _prose, _calendar, _chat, _tool, _tool, _prose
)  # fmt: skip
