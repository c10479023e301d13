import pytest

from detectors.errors import StorageError
from storage.archive.table import SCHEMA, parquet_of, rows_of, table_of
from storage.published import COLUMNS, json_line, published_rows
from tests.storage.sinks.records import extremes, ordinary, record


def test_rows_come_back_as_they_went_in() -> None:
    rows = published_rows(ordinary(5) + extremes())
    assert b"".join(map(json_line, rows_of(parquet_of(rows)))) == b"".join(map(json_line, rows))


def test_equal_rows_make_equal_bytes() -> None:
    rows = published_rows(ordinary(5))
    assert parquet_of(rows) == parquet_of(rows)


def test_every_column_has_a_type_of_its_own() -> None:
    assert set(SCHEMA.names) == {"opened_at", *COLUMNS}
    types = {name: str(SCHEMA.field(name).type) for name in SCHEMA.names}
    assert types["tenant_id"] == types["prompt_tokens"] == "int64"
    assert types["opened_at"] == "timestamp[us, tz=UTC]"
    assert types["degraded"] == "list<item: string>"
    assert types["streaming"] == "bool"


def test_a_value_that_no_column_holds_is_refused() -> None:
    for fields in ({"tenant_id": 2**63}, {"prompt_tokens": "many"}, {"streaming": "yes"}):
        with pytest.raises(StorageError):
            table_of(published_rows([record(**fields)]))


def test_what_is_no_archive_is_refused() -> None:
    with pytest.raises(StorageError):
        list(rows_of(b"PAR1 not really"))
