"""Digests: different texts never share one, a seam is known by its parts, another tenant's key knows nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.digests import SIZE, Digests
from detectors.seams import Seam
from detectors.types import Direction, Kind, Origin, Place, Segment

KEY = b"k" * 32


def segment(text: str = "a", **changes: Any) -> Segment:
    return replace(Segment(Direction.REQUEST, Origin.USER, Kind.TEXT, Place.VALUE, "/0", text), **changes)


def digest(*segments: Segment, key: bytes = KEY) -> list[bytes]:
    return Digests(key).of(segments)


@pytest.mark.parametrize(
    "changes", [{"text": "b"}, {"origin": Origin.TOOL}, {"kind": Kind.SEAM}, {"place": Place.KEY}, {"joints": (1,)}]
)
def test_all_that_a_detector_reads_of_a_segment_is_in_its_digest(changes: dict[str, Any]) -> None:
    assert digest(segment("a")) != digest(segment(**changes))


def test_neither_pointer_nor_direction_is() -> None:
    assert digest(segment("a")) == digest(segment("a", pointer="/9", direction=Direction.RESPONSE))


def test_another_tenants_key_gives_another_digest() -> None:
    assert digest(segment("a")) != digest(segment("a"), key=b"x" * 32)


def test_a_seam_is_known_by_its_parts_in_their_order() -> None:
    one, other, third = segment("a"), segment("b"), segment("c")

    found = digest(Seam([one, other]), Seam([other, one]), Seam([one, other, third]), Seam([one, third]), one)

    assert len(set(found)) == len(found)
    assert digest(Seam([segment("a"), segment("b")])) == found[:1]


@settings(max_examples=40)
@given(st.lists(st.lists(st.sampled_from(["", "a", "ab", "b", "\n", "a\nb"]), min_size=2, max_size=4), max_size=8))
def test_seams_that_read_differently_have_different_digests(runs: list[list[str]]) -> None:
    seams = [Seam([segment(text) for text in run]) for run in runs]
    read = {(seam.text, seam.joints): known for seam, known in zip(seams, digest(*seams), strict=True)}

    assert len(set(read.values())) == len(read)
    assert all(len(known) == SIZE for known in read.values())
