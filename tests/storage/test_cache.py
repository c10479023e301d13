"""The findings cache: least recently used goes first, and nothing outgrows the bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detectors.batch import StageHits
from detectors.types import Category, Hit, Severity
from storage.cache import LruFindingsCache

HIT = Hit("PS-PII-001", "EMAIL", Category.PII, Severity.LOW, 0.9, None, (), "")
NOTHING = StageHits({})


def with_hits(count: int) -> StageHits:
    return StageHits({"pii": (HIT,) * count})


def test_what_was_put_is_got_back() -> None:
    cache = LruFindingsCache()
    cache.put(b"a", with_hits(2))
    assert cache.get_many([b"b", b"a", b"a"]) == [None, with_hits(2), with_hits(2)]


def test_the_least_recently_used_goes_first() -> None:
    cache = LruFindingsCache(capacity=2)
    cache.put(b"a", NOTHING)
    cache.put(b"b", NOTHING)
    cache.get_many([b"a"])[0]
    cache.put(b"c", NOTHING)
    assert [cache.get_many([key])[0] is not None for key in (b"a", b"b", b"c")] == [True, False, True]


def test_a_text_of_many_hits_counts_for_many() -> None:
    cache = LruFindingsCache(capacity=1000)
    for number in range(1000):
        cache.put(number.to_bytes(2), NOTHING)
    cache.put(b"heavy", with_hits(9))
    assert [cache.get_many([number.to_bytes(2)])[0] is None for number in (0, 9, 10, 999)] == [True, True, False, False]


def test_one_text_cannot_push_out_all_others() -> None:
    cache = LruFindingsCache(capacity=1000)
    cache.put(b"a", NOTHING)
    cache.put(b"hostile", with_hits(5000))
    assert cache.get_many([b"hostile"])[0] is None
    assert cache.get_many([b"a"])[0] is NOTHING


@given(puts=st.lists(st.tuples(st.binary(max_size=1), st.integers(0, 3))))
def test_the_bound_holds_whatever_is_put(puts: list[tuple[bytes, int]]) -> None:
    cache = LruFindingsCache(capacity=300)
    for key, count in puts:
        cache.put(key, with_hits(count))
    assert cache._weight == sum(1 + len(hits.hits["pii"]) for hits in cache._entries.values())
    assert cache._weight <= 300
