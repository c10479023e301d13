"""Checking a chain: links in memory, so that every way to break one is tried in no time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.chains.chain import GENESIS, NOTHING, ChainName, Head, link_hash
from storage.chains.check import ChainCheck, Link
from storage.chains.damage import Damages
from storage.chains.evidence import SignedHead
from storage.chains.statements import RetiredRange

NAME = ChainName("i1", 7)


def chain(length: int, word: str = "row") -> list[Link]:
    links: list[Link] = []
    for seq in range(1, length + 1):
        prev = links[-1].hash if links else GENESIS
        canonical = f"{word} {seq}".encode()
        links.append(Link(seq, prev, link_hash(prev, seq, canonical), f"id {seq}", canonical, ""))
    return links


def signed(links: Sequence[Link], *places: int) -> list[SignedHead]:
    return [SignedHead(Head(seq, links[seq - 1].hash), seq) for seq in places]


def retired(links: Sequence[Link], first: int, last: int) -> RetiredRange:
    return RetiredRange(*NAME, first, last, links[first - 1].prev, links[last - 1].hash)


def check(
    links: Sequence[Link],
    head: Head | None,
    heads: Sequence[SignedHead] = (),
    ranges: Sequence[RetiredRange] = (),
    *,
    start: Head = NOTHING,
    to_the_end: bool = True,
) -> list[tuple[str, int | None]]:
    damages = Damages()
    checking = ChainCheck(NAME, damages, start, heads, ranges)
    for link in links:
        checking.take(link)
    checking.finish(head, to_the_end=to_the_end)
    return [(damage.kind.value, damage.seq) for damage in damages]


LINKS = chain(20)
END = Head(20, LINKS[-1].hash)


@given(st.sets(st.integers(1, 20)), st.lists(st.integers(1, 20), min_size=0, max_size=6))
def test_any_links_may_be_missing_that_were_retired_and_no_others(missing: set[int], places: list[int]) -> None:
    rest = [link for link in LINKS if link.seq not in missing]
    heads = signed(LINKS, *sorted(set(places)))
    ranges = [retired(LINKS, seq, seq) for seq in sorted(missing)]
    assert check(rest, END, heads, ranges) == []
    found = check(rest, END, heads)
    assert bool(found) == bool(missing)
    assert {kind for kind, _ in found} <= {"deletion", "truncation"}


@given(st.integers(1, 19), st.integers(1, 20))
def test_a_chain_that_was_recomputed_is_caught_by_any_later_checkpoint(first: int, place: int) -> None:
    forged = [*LINKS[: first - 1]]
    for seq in range(first, 21):
        prev = forged[-1].hash if forged else GENESIS
        forged.append(LINKS[seq - 1]._replace(prev=prev, hash=link_hash(prev, seq, b"forged")))
    head = Head(20, forged[-1].hash)
    assert check(forged, head, signed(LINKS, place)) == ([("edit", 1)] if place >= first else [])


@given(st.integers(1, 20))
def test_one_flawed_row_is_one_damage_at_its_place(seq: int) -> None:
    links = [link._replace(flaw="edited") if link.seq == seq else link for link in LINKS]
    assert check(links, END, signed(LINKS, 5, 20)) == [("edit", seq)]


@given(st.integers(1, 19))
def test_a_row_with_a_hash_of_its_own_does_not_fit_its_neighbour(seq: int) -> None:
    links = [link._replace(hash=b"x" * 32) if link.seq == seq else link for link in LINKS]
    assert check(links, END, signed(LINKS, 20)) == [("edit", seq)]


def test_a_range_that_starts_at_a_checkpoint_is_checked_against_it() -> None:
    start = Head(5, LINKS[4].hash)
    assert check(LINKS[5:10], Head(10, LINKS[9].hash), start=start, to_the_end=False) == []
    assert check(LINKS[5:10], Head(10, LINKS[9].hash), start=Head(5, b"?" * 32), to_the_end=False) == [("edit", 6)]
    assert check(LINKS[5:8], Head(10, LINKS[9].hash), start=start, to_the_end=False) == [("deletion", 9)]


def test_a_retired_range_between_links_that_it_does_not_fit_is_an_edit() -> None:
    other = chain(20, "other")
    assert check([*other[:5], *LINKS[10:]], END, (), [retired(LINKS, 6, 10)]) == [("edit", 5)]
    assert check([*LINKS[:5], *other[10:]], Head(20, other[-1].hash), (), [retired(LINKS, 6, 10)]) == [("edit", 11)]


@pytest.mark.parametrize(("place", "kind"), [*((place, "insertion") for place in range(6, 10)), (10, "edit")])
def test_a_row_that_is_put_where_links_were_retired_is_found(place: int, kind: str) -> None:
    """Whoever has the database knows the link before a gap, and can make one that follows on it."""
    rest, gap = [*LINKS[:5], *LINKS[10:]], [retired(LINKS, 6, 10)]
    prev = LINKS[4].hash
    forged = Link(place, prev, link_hash(prev, place, b"forged"), "forged", b"forged", "")
    assert check(sorted([*rest, forged]), END, signed(LINKS, 20), gap) == [(kind, place)]


def test_a_database_put_back_has_what_was_retired_since() -> None:
    ranges = [retired(LINKS, 6, 10)]
    assert check(LINKS, END, signed(LINKS, 20), ranges) == []
    again = [*ranges, retired(LINKS, 6, 7)]
    assert check([*LINKS[:5], *LINKS[7:]], END, signed(LINKS, 20), again) == []
    assert check([*LINKS[:7], *LINKS[9:]], END, signed(LINKS, 20), [*ranges, retired(LINKS, 8, 9)]) == []


def test_of_two_rows_at_one_place_the_one_that_was_signed_is_genuine() -> None:
    extra = LINKS[19]._replace(decision_id="extra", hash=link_hash(LINKS[18].hash, 20, b"extra"))
    for links in ([*LINKS, extra], [*LINKS[:19], extra, LINKS[19]]):
        damages = Damages()
        checking = ChainCheck(NAME, damages, NOTHING, signed(LINKS, 20))
        for link in links:
            checking.take(link)
        checking.finish(END, to_the_end=True)
        assert [(damage.kind, damage.decision_id) for damage in damages] == [("insertion", "extra")]


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (None, [("insertion", 20)]),
        (Head(25, b"?" * 32), [("truncation", 21)]),
        (Head(18, LINKS[17].hash), [("insertion", 19)]),
        (Head(20, b"?" * 32), [("edit", 20)]),
    ],
)
def test_the_head_must_be_the_last_link(head: Head | None, found: list[tuple[str, int]]) -> None:
    assert check(LINKS, head) == found


def test_what_follows_the_newest_checkpoint_is_counted_as_unsigned() -> None:
    checking = ChainCheck(NAME, Damages(), NOTHING, signed(LINKS, 5, 12))
    for link in LINKS:
        checking.take(link)
    checking.finish(END, to_the_end=True)
    assert (checking.rows, checking.unsigned) == (20, 8)


def test_more_damage_than_anybody_reads_is_counted() -> None:
    links = [link._replace(flaw="edited") for link in chain(1500)]
    damages = Damages()
    checking = ChainCheck(NAME, damages, NOTHING)
    for link in links:
        checking.take(link)
    checking.finish(Head(1500, links[-1].hash), to_the_end=True)
    assert (damages.count, len(list(damages))) == (1500, 1000)
