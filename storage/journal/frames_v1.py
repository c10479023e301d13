"""Frames as the first release wrote them (`PSJ1`): read only, because an upgrade may find them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson

from storage.types import DecisionRecord, Outcome

MAGIC: Final = b"PSJ1"


class Name(NamedTuple):
    id: bytes
    opened: bool  # else closed


def name_of(content: bytes) -> Name | None:
    """Return of which decision a frame speaks and how, None if it is no record of that version."""
    record, kind = _envelope(content)
    if record is None or kind not in {"opened", "closed"}:
        return None
    return Name(record.id.encode(), kind == "opened")


def record_in(content: bytes) -> DecisionRecord | None:
    """Return the decision in a frame; in an `opened` one it is the row to keep should it never close."""
    return _envelope(content)[0]


def _envelope(content: bytes) -> tuple[DecisionRecord | None, str]:
    try:
        envelope: dict[str, Any] = orjson.loads(content)
        raw: dict[str, Any] = envelope["r"]
        record = DecisionRecord(**{**raw, "outcome": Outcome(raw["outcome"]), "degraded": tuple(raw["degraded"])})
        return record, str(envelope["k"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None, ""
