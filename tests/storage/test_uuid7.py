"""Ids that sort by time."""

from __future__ import annotations

import time
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from storage.uuid7 import time_of, uuid7

MOMENTS = st.integers(0, (1 << 48) - 1)  # milliseconds; the last one is in the year 10889


@given(milliseconds=MOMENTS)
def test_an_id_is_a_uuid_of_version_7_that_holds_its_time(milliseconds: int) -> None:
    made = UUID(uuid7((milliseconds + 0.5) / 1000))
    assert (made.version, made.variant) == (7, RFC_4122)
    assert time_of(str(made)) == milliseconds / 1000


@given(one=MOMENTS, other=MOMENTS)
def test_ids_sort_as_their_times_do(one: int, other: int) -> None:
    ids = [uuid7((moment + 0.5) / 1000) for moment in (one, other)]
    if one != other:
        assert (ids[0] < ids[1]) == (one < other)


def test_an_id_is_of_now_and_of_its_own() -> None:
    before = time.time()
    ids = [uuid7() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(before - 0.001 <= time_of(one) <= time.time() for one in ids)
    assert all(one == str(UUID(one)) for one in ids)
