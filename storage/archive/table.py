"""Decisions as Parquet: the one importer of pyarrow."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, get_type_hints

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from detectors.errors import StorageError
from storage.published import COLUMNS, JSON_COLUMNS, JsonObject, moment
from storage.types import DecisionRecord

SCHEMA_VERSION: Final = "promptshield.decisions/1"
_TIMES: Final = ("opened_at", "closed_at")
_TYPES: Final = {
    int: pa.int64(),
    int | None: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    tuple[str, ...]: pa.list_(pa.string()),
}
_HINTS: Final = get_type_hints(DecisionRecord)
# JSON columns stay text: their keys differ from row to row.
SCHEMA: Final = pa.schema(
    [("opened_at", pa.timestamp("us", "UTC"))]
    + [
        (name, pa.timestamp("us", "UTC") if name in _TIMES else _TYPES.get(_HINTS[name], pa.string()))
        for name in COLUMNS
    ]
)


def table_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return the table of published rows. Raises StorageError for a value that its column cannot hold."""
    try:
        return pa.Table.from_pylist([_as_columns(row) for row in rows], schema=SCHEMA)
    except (pa.ArrowException, TypeError, ValueError, OverflowError, KeyError) as exc:
        raise StorageError(f"a decision holds a value that its column cannot: {type(exc).__name__}") from exc


def parquet_of(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return a Parquet file of the rows in their order; equal rows make equal bytes. Raises StorageError."""
    target = io.BytesIO()
    pq.write_table(table_of(rows), target, compression="zstd")
    return target.getvalue()


def rows_of(parquet: bytes) -> Iterator[JsonObject]:
    """Yield the published rows of a Parquet file that `parquet_of` made. Raises StorageError if it is none."""
    try:
        table = pq.read_table(io.BytesIO(parquet))
        for batch in table.to_batches(max_chunksize=1000):
            yield from map(_as_row, batch.to_pylist())
    except (pa.ArrowException, orjson.JSONDecodeError, OSError, KeyError) as exc:
        raise StorageError(f"not an archive of decisions: {type(exc).__name__}") from exc


def _as_columns(row: Mapping[str, Any]) -> JsonObject:
    columns = dict(row)
    columns |= {name: orjson.dumps(row.get(name)).decode() for name in JSON_COLUMNS}
    columns |= {name: datetime.fromisoformat(row[name]) for name in _TIMES}
    return columns


def _as_row(columns: JsonObject) -> JsonObject:
    columns |= {name: orjson.loads(columns[name]) for name in JSON_COLUMNS}
    columns |= {name: moment(columns[name].timestamp()) for name in _TIMES}
    return columns
