"""Conditions: parameters in step with their places, and nothing of a value in the SQL."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.errors import StorageError
from storage.decisions.conditions import Condition, DecisionFilter, conditions_of, join_conditions
from storage.postgres import Database
from storage.types import Role

HOSTILE = "'; DROP TABLE decisions; -- {0} $1"


def test_places_are_numbered_through() -> None:
    conditions = [Condition("a = {}", (1,)), Condition("(b, c) < ({}, {})", (2, 3)), Condition("d", ())]
    assert join_conditions(conditions) == ("a = $1 AND (b, c) < ($2, $3) AND d", [1, 2, 3])


def test_no_condition_holds_for_everything() -> None:
    assert join_conditions([]) == ("true", [])


@pytest.mark.slow
@pytest.mark.parametrize("field", ["action", "outcome", "category", "rule", "model", "request_id"])
async def test_a_value_never_stands_in_the_sql(database: Database, field: str) -> None:
    wanted = replace(DecisionFilter(), **{field: HOSTILE})  # type: ignore[arg-type]
    async with database.transaction(Role.READER) as connection:
        sql, values = join_conditions(await conditions_of(connection, wanted))
        assert "DROP" not in sql
        assert "DROP" in repr(values)
        rows = await connection.fetch(f"SELECT FROM public.decisions AS d WHERE {sql}", *values)
    assert rows == []


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [DecisionFilter(tenant=HOSTILE), DecisionFilter(app=HOSTILE)])
async def test_an_unknown_name_is_an_error_of_ours(database: Database, wanted: DecisionFilter) -> None:
    async with database.transaction(Role.READER) as connection:
        with pytest.raises(StorageError, match="there is no"):
            await conditions_of(connection, wanted)


@pytest.mark.slow
async def test_bytes_that_are_no_text_are_an_error_of_ours(database: Database) -> None:
    async with database.transaction(Role.READER) as connection:
        with pytest.raises(StorageError, match="no text"):
            await conditions_of(connection, DecisionFilter(rule="PS-\udcff"))
