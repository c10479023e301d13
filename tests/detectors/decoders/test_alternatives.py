"""Patterns written for speed find what the plain ones do."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from detectors.decoders._alternatives import clusters_of, longest_of
from detectors.decoding import REACH, around

WORDS = frozenset({"a", "all", "allow", "allowed", "is", "h1", "h2", "header"})
TEXTS = st.lists(st.sampled_from([*WORDS, "AL", "ow", "\u0130s", "\u017f", "h", "x", " "]), max_size=12).map("".join)


@given(TEXTS)
def test_the_longest_word_at_each_place_is_found_in_any_case(text: str) -> None:
    plain = re.compile("|".join(sorted(WORDS, key=len, reverse=True)), re.IGNORECASE)

    assert re.findall(longest_of(WORDS), text) == plain.findall(text)


@given(
    st.lists(st.sampled_from(["<b>", "<", "&amp;", "&", "x" * REACH, "x" * 3 * REACH, "y"]), max_size=20).map("".join)
)
def test_stretches_around_clusters_hold_those_around_each_mark(text: str) -> None:
    mark = "<b>|&amp;"
    wide = around(text, (found.span() for found in clusters_of(mark, "<&").finditer(text)))
    exact = around(text, (found.span() for found in re.finditer(mark, text)))

    assert all(any(part.start <= one.start and one.end <= part.end for part in wide) for one in exact)
    assert bool(wide) == bool(exact)


def test_nothing_is_captured_in_a_cluster() -> None:
    found = clusters_of(r"a(b)\((?:c)[(\](]", "a").search("xab(c]ab(c(")

    assert found is not None
    assert (found.group(), found.groups()) == ("ab(c]ab(c(", ())
