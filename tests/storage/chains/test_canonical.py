"""The canonical form: the same bytes from a record and from the row that Postgres made of it, and no other's."""

from __future__ import annotations

import hashlib
import math
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.errors import StorageError
from storage.chains.canonical import (
    DOCUMENTS,
    ERASABLE,
    FORM,
    MEASURES,
    PLAIN,
    canonical_json,
    canonical_json_of,
    opened_microseconds,
    seal,
)
from storage.chains.chain import ChainName
from storage.chains.check import Link
from storage.chains.rows import read_links
from storage.decisions.writer import PostgresSink
from storage.postgres import Database
from storage.types import DecisionRecord, Outcome, Role, Tenant
from storage.uuid7 import uuid7
from tests.storage.conftest import MakeRecord

slow = pytest.mark.slow
# What Postgres takes as text: no NUL, no half surrogate pair.
TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)
BIG = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
ODD_NUMBERS = st.sampled_from([-0.0, 1e16, 1.5e17, 2.0**63, 1e22, 5e-324, 1e-7, 123456789012345.68, 0.1 + 0.2])
SCALARS = st.none() | st.booleans() | BIG | FLOATS | ODD_NUMBERS | TEXT
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8
)
# JSON as others write it: exponents, spaces, digits beyond a double, keys twice.
FOREIGN = st.sampled_from(
    [
        '{"b": 1e2, "a": [1.50, -0, -0.0]}',
        '{"a":1,"a":2}',
        "[123456789012345678901234567890]",
        '"\\u00e9\\/e-7"',
        "1E-5",
    ]
)
DOCUMENT = JSON.map(lambda value: orjson.dumps(value).decode()) | JSON.map(canonical_json) | FOREIGN
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("model", "via", "request_id", "route", "category", "policy_id", "personal_digest"), TEXT),
    **dict.fromkeys(("app_id", "key_id", "prompt_tokens", "completion_tokens"), st.none() | BIG),
    **dict.fromkeys(DOCUMENTS, DOCUMENT),
    **dict.fromkeys(("overhead_ms", "upstream_ms", "total_ms"), FLOATS | ODD_NUMBERS | st.integers(0, 9)),
    "confidence": st.floats(0, 1),
    "streaming": st.booleans(),
    "status": st.integers(-(2**31), 2**31 - 1),
    "outcome": st.sampled_from(Outcome),
    "degraded": st.lists(TEXT, max_size=3).map(tuple),
    "closed_at": st.floats(-60_000_000_000, 250_000_000_000),
}


@slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=st.lists(st.fixed_dictionaries(FIELDS), min_size=1, max_size=8))
async def test_a_row_read_back_has_the_bytes_of_its_record(
    migrated_log: tuple[Database, Tenant, MakeRecord], batch: list[dict[str, Any]]
) -> None:
    database, tenant, make_record = migrated_log
    instance = uuid7()
    records = [make_record(tenant.id, datetime(2026, 1, 1, tzinfo=UTC), instance=instance, **each) for each in batch]
    await PostgresSink(database).write(records)
    async with database.transaction(Role.READER) as connection:
        read: list[Link] = []
        await read_links(connection, ChainName(instance, tenant.id), 0, 2**63 - 1, read.append)
    assert [link.canonical for link in read] == [seal(record).canonical for record in records]
    assert {link.flaw for link in read} == {""}


@pytest.fixture
def migrated_log(database: Database, tenant: Tenant, make_record: MakeRecord) -> tuple[Database, Tenant, MakeRecord]:
    return database, tenant, make_record


@slow
async def test_opened_at_is_computed_as_postgres_does(database: Database) -> None:
    ids = [uuid7(seconds) for seconds in (0, 1e-3, 0.999, 1.8e9 + 0.001, 4_102_444_799.999, 2.5e11, 253_402_300_799.9)]
    async with database.transaction(Role.READER) as connection:
        rows = await connection.fetch("SELECT timestamptz_send(private.opened_at(i)) t FROM unnest($1::uuid[]) i", ids)
    assert [int.from_bytes(row["t"], signed=True) for row in rows] == [opened_microseconds(each) for each in ids]


@given(JSON)
def test_canonical_json_is_its_own_canonical_form(value: Any) -> None:
    once = canonical_json_of(canonical_json(value))
    assert canonical_json_of(once) == once
    assert orjson.loads(once) == value or "0.0" in once


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ('{"b": 1, "a": 2}', '{"a":2,"b":1}'),
        ('{"10": 1e2, "9": -0.0}', '{"10":100.0,"9":0.0}'),
        ('["e-", 1e16, 1e-7, 1.5]', '["e-",10000000000000000.0,0.0000001,1.5]'),
        ('["\\u00e9", "\\u007f", "\\n"]', '["é","\x7f","\\n"]'),
        ("[18446744073709551615, 18446744073709551616]", "[18446744073709551615,18446744073709552000.0]"),
    ],
)
def test_the_notation_of_form_1_never_changes(text: str, canonical: str) -> None:
    assert canonical_json_of(text) == canonical


def test_the_bytes_of_form_1_never_change(make_record: MakeRecord) -> None:
    record = make_record(7, id="019c0000-0000-7000-8000-000000000001", facts='{"b":1,"a":[1e-7]}', app_id=3)
    digest = hashlib.sha256(seal(record).canonical).hexdigest()
    assert digest == "f4ca27e86f5fd8a21ac1b6552a8ceeb11ea0d594612325595ab592b0bb459b5f"


def test_every_field_is_inside_the_form_or_erasable() -> None:
    named = {field.name for field in fields(DecisionRecord)}
    assert named == {*PLAIN, *DOCUMENTS, *MEASURES, *ERASABLE, "closed_at", "canonical"}


@pytest.mark.parametrize("name", [*PLAIN, *DOCUMENTS, *MEASURES, "closed_at"])
def test_every_field_that_is_inside_changes_the_bytes(make_record: MakeRecord, name: str) -> None:
    record = make_record(1)
    value = getattr(record, name)
    other: Any = {"id": uuid7(1), "outcome": Outcome.REJECTED, "degraded": ()}.get(name)
    if other is None and isinstance(value, str):
        other = '{"other":1}' if name in DOCUMENTS else f"{value}x"
    elif other is None:
        other = not value if isinstance(value, bool) else (value or 0) + 1
    assert seal(replace(record, **{name: other})).canonical != seal(record).canonical


def test_a_record_that_says_it_is_canonical_has_the_same_bytes(make_record: MakeRecord) -> None:
    value = {"b": [1.5, {"z": 1, "a": "e-mail"}], "a": None}
    said = make_record(1, facts=canonical_json(value), canonical=FORM)
    plain = replace(said, facts=orjson.dumps(value, option=orjson.OPT_INDENT_2).decode(), canonical=0)
    assert seal(said) == seal(plain)


@pytest.mark.parametrize("measure", [math.nan, math.inf, -math.inf, -0.0, 0.0])
def test_measures_that_are_no_numbers_are_told_apart(make_record: MakeRecord, measure: float) -> None:
    others = [math.nan, math.inf, -math.inf, -0.0, 0.0]
    record = make_record(1)
    same = [m for m in others if seal(replace(record, total_ms=m)) == seal(replace(record, total_ms=measure))]
    assert len(same) == 1


def test_half_a_surrogate_pair_is_the_records_fault(make_record: MakeRecord) -> None:
    with pytest.raises(StorageError, match="cannot"):
        seal(make_record(1, model="\ud800"))
