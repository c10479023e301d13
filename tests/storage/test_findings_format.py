"""Stage hits as bytes: they come back as they went, and whatever was changed, moved or cut reads as nothing known."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.batch import StageHits
from detectors.types import Category, Hit, Severity, Span
from storage.findings_format import LARGEST, SEAL, VERSION, _seal, dump_hits, load_hits

KEY, PLACE = b"k" * 32, "tenant:{1}:findings:00"
SPANS = st.none() | st.tuples(st.integers(0, 99), st.integers(0, 99)).map(lambda pair: Span(*sorted(pair)))
HITS = st.builds(
    Hit,
    rule_id=st.text(max_size=9),
    kind=st.text(max_size=9),
    category=st.sampled_from(Category),
    severity=st.sampled_from(Severity),
    confidence=st.floats(0, 1),
    span=SPANS,
    transforms=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    message=st.text(max_size=20),
    tags=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    level=st.integers(1, 4),
)
FOUND = st.builds(
    StageHits, st.dictionaries(st.text(max_size=5), st.lists(HITS, max_size=3).map(tuple), max_size=2), st.booleans()
)
WORD = Hit("PS-T-001", "WORD", Category.JAILBREAK, Severity.HIGH, 0.9, Span(1, 2), ("folded",), "A test", ("t",))
RAW = dump_hits(StageHits({"judge": (WORD,)}), PLACE, KEY) or b""


@settings(max_examples=40)
@given(FOUND)
def test_what_went_in_comes_out(found: StageHits) -> None:
    assert load_hits(dump_hits(found, PLACE, KEY) or b"", PLACE, KEY) == found


def sealed(document: object) -> bytes:
    body = orjson.dumps(document)
    return _seal(body, PLACE, KEY) + body


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        RAW[:-1],
        RAW[:SEAL],
        RAW.replace(b"judge", b"model"),
        bytes(SEAL) + RAW[SEAL:],
        sealed([VERSION + 1, False, {}]),
        sealed([VERSION, False]),
        sealed([VERSION, False, []]),
        sealed([VERSION, False, {"judge": [["PS-T-001"]]}]),
        sealed([VERSION, False, {"judge": 7}]),
        sealed(7),
    ],
)
def test_what_is_not_ours_is_not_known(raw: bytes) -> None:
    assert load_hits(raw, PLACE, KEY) is None


@pytest.mark.parametrize("change", [lambda _: (PLACE, b"x" * 32), lambda _: ("tenant:{2}:findings:00", KEY)])
def test_what_stands_under_another_key_or_at_another_place_is_not_known(
    change: Callable[[None], tuple[str, bytes]],
) -> None:
    assert load_hits(RAW, *change(None)) is None


def test_what_is_too_large_is_not_kept() -> None:
    assert dump_hits(StageHits({"judge": (WORD,) * (LARGEST // 20)}), PLACE, KEY) is None
