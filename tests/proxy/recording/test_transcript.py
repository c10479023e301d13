"""A streamed answer is kept as it came, or masked over all its windows."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.types import Category, Finding
from proxy.exchange import digest
from proxy.recording.transcript import Transcript
from storage.keys.sealed_body import LONGEST_PLAIN, BodyForm
from tests.proxy.conftest import MakeJudged

KEY = b"k" * 32


def transcript(form: BodyForm | None) -> Transcript:
    return Transcript(form, KEY)


def test_the_bytes_are_kept_as_they_came_with_their_hash() -> None:
    kept = transcript(BodyForm.ENCRYPTED)
    for chunk in (b"data: a", b"\n\n", b"data: [DONE]\n\n"):
        kept.take_chunk(chunk)
    kept.take_window("c", 0, "not kept twice", [])
    assert kept.kept() == b"data: a\n\ndata: [DONE]\n\n"
    assert kept.digest == digest(KEY, b"data: a\n\ndata: [DONE]\n\n")


def test_where_only_the_hash_is_kept_nothing_else_is() -> None:
    kept = transcript(None)
    kept.take_chunk(b"data: a")
    kept.take_window("c", 0, "text", [])
    assert (kept.kept(), kept.digest) == (None, digest(KEY, b"data: a"))


@given(text=st.text(min_size=1), cuts=st.lists(st.integers(0, 200)), context=st.integers(0, 20))
def test_windows_however_they_overlap_are_one_text(text: str, cuts: list[int], context: int) -> None:
    kept = transcript(BodyForm.MASKED)
    ends = sorted({min(cut, len(text)) for cut in cuts} | {len(text)})
    start = 0
    for end in ends:
        base = max(0, start - context)
        kept.take_window("c", base, text[base:end], [])
        start = end
    assert orjson.loads(kept.kept() or b"") == {"c": text.encode(errors="replace").decode()}


def found(make_judged: MakeJudged, span: tuple[int, int] | None, category: Category = Category.PII) -> Finding:
    return make_judged("/c", span=span, category=category).finding


def test_a_finding_is_masked_at_its_place_in_the_whole_channel(make_judged: MakeJudged) -> None:
    kept = transcript(BodyForm.MASKED)
    kept.take_window("c", 0, "mail anna@ex", [found(make_judged, (5, 12))])
    kept.take_window("c", 3, "l anna@example.org now", [found(make_judged, (2, 18))])
    kept.take_window("d", 0, "other", [])
    assert orjson.loads(kept.kept() or b"") == {"c": "mail [EMAIL] now", "d": "other"}


def test_a_secret_without_a_place_takes_its_channel_with_it(make_judged: MakeJudged) -> None:
    kept = transcript(BodyForm.MASKED)
    kept.take_window("c", 0, "somewhere", [found(make_judged, None)])
    assert orjson.loads(kept.kept() or b"") == {"c": "[EMAIL]"}


@pytest.mark.parametrize("form", [BodyForm.MASKED, BodyForm.ENCRYPTED])
def test_memory_is_bounded_and_the_end_of_what_is_too_long_is_missing(form: BodyForm) -> None:
    kept = transcript(form)
    for n in range(0, LONGEST_PLAIN * 2, 1 << 16):
        kept.take_chunk(b"x" * (1 << 16))
        kept.take_window("c", n, "x" * (1 << 16), [])
    assert LONGEST_PLAIN < len(kept.kept() or b"") < LONGEST_PLAIN + (1 << 17)


def test_what_was_not_looked_at_is_not_kept_as_masked() -> None:
    kept = transcript(BodyForm.MASKED)
    kept.take_window("c", 0, "text", [])
    kept.forbid()
    assert kept.kept() is None


def test_more_findings_than_can_be_remembered_keep_the_text_out(make_judged: MakeJudged) -> None:
    kept = transcript(BodyForm.MASKED)
    findings = [found(make_judged, (n, n + 1)) for n in range(4097)]
    kept.take_window("c", 0, "a" * 5000, findings)
    assert kept.kept() is None
