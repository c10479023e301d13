"""Decisions as lines: for eyes, for programs, for spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

import orjson

from storage.ocsf import ocsf_event
from storage.published import ERASABLE
from storage.types import DecisionRecord

Row = Mapping[str, Any]

_NAMES: Final = ("opened_at", "tenant", "app")
# What can be erased in the database must not lie in a file that no erasure reaches.
COLUMNS: Final = (
    *_NAMES,
    *(field.name for field in fields(DecisionRecord) if field.name not in ERASABLE),
    *("seq", "prev", "hash"),
)
# How a cell starts that a spreadsheet would take for a formula (OWASP, "CSV Injection"), also in full width.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - lookalikes on purpose
_INSIDE: Final = re.compile(r"([;|\t\r\n][\"' ]*)(?=[=+@\-\uff1d\uff0b\uff0d\uff20])")


def as_json(row: Row) -> str:
    """All columns as one JSON object on one line; hashes in hexadecimal digits."""
    return orjson.dumps(dict(row), default=_as_text).decode()


def as_shown(row: Row) -> str:
    """All columns as indented JSON, with a word in the place of what was erased."""
    personal = "erased" if row["personal"] is None and row["personal_digest"] else row["personal"]
    return orjson.dumps({**row, "personal": personal}, default=_as_text, option=orjson.OPT_INDENT_2).decode()


def as_line(row: Row) -> str:
    """What one wants to see of a decision in passing, in local time."""
    opened: datetime = row["opened_at"]
    found = f"{row['category']} {row['confidence']:.2f}" if row["confidence"] else row["category"]
    where = f"{row['tenant']}/{row['app']}"
    action = row["action"] if row["action"] == row["intended_action"] else f"{row['action']}({row['intended_action']})"
    return (
        f"{opened.astimezone():%Y-%m-%d %H:%M:%S}  {action:<8} {row['outcome']:<17} {row['status']}  {where:<20} "
        f"{row['model'][:24]:<24} {row['overhead_ms']:>7.2f} ms  {found:<28} {row['id']}"
    )


def jsonl_line(row: Row) -> str:
    return as_json({name: row[name] for name in COLUMNS}) + "\n"


def ocsf_line(row: Row) -> str:
    return orjson.dumps(ocsf_event(row), default=_as_text).decode() + "\n"


def csv_line(row: Row) -> str:
    """One record of RFC 4180. A text that a spreadsheet would compute gets an apostrophe in front."""
    return _record([_cell(row[name]) for name in COLUMNS])


def csv_header() -> str:
    return _record(COLUMNS)


def _record(cells: tuple[str, ...] | list[str]) -> str:
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    text = value if isinstance(value, str) else _as_text(value)
    # Where `;` or a tab separates, the rest of a cell begins another one, quoted or not.
    safe: str = _INSIDE.sub(r"\1'", f"'{text}" if text.startswith(_FORMULA) else text)
    return safe


def _as_text(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, datetime) else str(value)


# By name: what stands before the first row, and what a row becomes.
EXPORTS: Final[Mapping[str, tuple[str, Callable[[Row], str]]]] = {
    "csv": (csv_header(), csv_line),
    "jsonl": ("", jsonl_line),
    "ocsf": ("", ocsf_line),
}
