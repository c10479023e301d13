"""Cursors: opaque, bound to their search, harmless when somebody plays with them."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.errors import StorageError
from storage.decisions.conditions import DecisionFilter
from storage.decisions.cursor import read_cursor, write_cursor
from storage.decisions.search import windows
from storage.uuid7 import uuid7

WANTED = DecisionFilter(tenant="acme", rule="PS-INJ-001")
PLACE = UUID(uuid7(1_800_000_000.0))


def test_a_cursor_is_read_back() -> None:
    assert read_cursor(write_cursor(PLACE, WANTED), WANTED) == PLACE


def test_a_cursor_outlives_a_range_that_moves_with_the_clock() -> None:
    moved = DecisionFilter(tenant="acme", rule="PS-INJ-001", since=datetime(2026, 1, 1, tzinfo=UTC))
    assert read_cursor(write_cursor(PLACE, WANTED), moved) == PLACE


def test_a_cursor_of_another_search_is_refused() -> None:
    with pytest.raises(StorageError, match="another search"):
        read_cursor(write_cursor(PLACE, WANTED), DecisionFilter(tenant="globex", rule="PS-INJ-001"))


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda raw: urlsafe_b64encode(raw).decode()))
def test_anything_else_is_refused_in_our_words(text: str) -> None:
    with pytest.raises(StorageError, match="cursor"):
        read_cursor(text, WANTED)


@given(st.integers(min_value=0, max_value=191))
def test_a_changed_bit_is_noticed(bit: int) -> None:
    changed = bytearray(urlsafe_b64decode(write_cursor(PLACE, WANTED)))
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(StorageError, match="cursor"):
        read_cursor(urlsafe_b64encode(changed).decode(), WANTED)


def test_a_place_beyond_all_calendars_is_looked_for_from_now() -> None:
    beyond = UUID("ffffffff-ffff-7000-8000-000000000000")
    assert len(list(windows(WANTED, beyond, datetime.now(UTC)))) == 7
