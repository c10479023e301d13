"""A decision as it leaves the database's reach: the whole row, but for what must stay erasable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from detectors.errors import StorageError
from storage.types import DecisionRecord
from storage.uuid7 import time_of

JsonObject = dict[str, Any]

# What can be erased in Postgres must not lie in a file, a SIEM or a locked archive where no erasure reaches it.
ERASABLE: Final = frozenset({"personal", "subjects", "bodies"})
_OURS: Final = ERASABLE | {"canonical"}  # a matter between the record's maker and the chain
JSON_COLUMNS: Final = ("scores", "facts", "coverage", "digests")
COLUMNS: Final = tuple(field.name for field in fields(DecisionRecord) if field.name not in _OURS)


def published_row(record: DecisionRecord) -> JsonObject:
    """Return the row: `opened_at` and `closed_at` in RFC 3339 (UTC), JSON columns parsed, everything by its column.

    Raises StorageError for a record that no row can be made of.
    """
    try:
        opened_at = moment(time_of(record.id))
        row: JsonObject = {"opened_at": opened_at, **{column: getattr(record, column) for column in COLUMNS}}
        row |= {column: orjson.loads(row[column]) for column in JSON_COLUMNS}
        row["facts"].pop("network", None)  # where older journals hold what is `personal` now
        row["closed_at"] = moment(record.closed_at)
    except (ValueError, OverflowError, OSError, AttributeError) as exc:
        raise StorageError(f"a decision cannot be read: {type(exc).__name__}") from exc
    return row


def published_rows(records: Iterable[DecisionRecord]) -> list[JsonObject]:
    return [published_row(record) for record in records]


def json_line(document: Mapping[str, Any]) -> bytes:
    """Return the document as one line of JSON with its line end. Raises StorageError (half a surrogate pair, ...)."""
    try:
        return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError as exc:
        raise StorageError(f"a decision holds a value that JSON cannot: {type(exc).__name__}") from exc


def moment(seconds: float) -> str:
    """Return epoch seconds in RFC 3339 with microseconds. Raises ValueError or OverflowError beyond the year 9999."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
