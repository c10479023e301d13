"""How far patterns reach: what a stream could let go of in part is no signature."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.errors import SignatureError
from detectors.reach import problem_of
from detectors.rules import BUILT_IN, load_signatures
from detectors.window import REACH


@pytest.mark.parametrize(
    "pattern",
    [
        "sk-[A-Za-z0-9_-]{20,}",
        r"(?:^|\W)(gh[pousr]_[A-Za-z0-9]{36,})",
        r"password[^\n]*: ([0-9a-f\x{C0}-\x{C5}]{8,})",
        r"[\s\S]{0,200}",
        r"(a b){1,80}",
    ],
)
def test_tokens_of_any_length_and_short_phrases_are_held_whole(pattern: str) -> None:
    assert problem_of(pattern, None) is None


@pytest.mark.parametrize(
    ("pattern", "far"),
    [
        (r"BEGIN[\s\S]*END", "any number of"),
        (r"key: ([^,]+)", "any number of"),
        (r"(?:a b ){1,100}", "400"),
        (r"(x|y(?:\d \d)+)", "any number of"),
        (r"sk-.{300}", "303"),
        (r"[\x{4E00}-\x{9FFF}]{300}", "300"),
    ],
)
def test_what_a_stream_would_let_go_of_needs_an_opening(pattern: str, far: str) -> None:
    problem = problem_of(pattern, None)

    assert problem is not None
    assert f"it may find {far} characters" in problem
    assert problem_of(pattern, "BEGIN [A-Z]{1,9}") is None


def test_an_opening_fits_into_what_is_held() -> None:
    assert problem_of("x.*", f"x.{{{REACH}}}") == f"its opening may have {REACH + 1} characters, {REACH} is the most"


def test_a_pattern_that_nobody_can_measure_is_none() -> None:
    assert "nobody can tell" in str(problem_of(r"\pN+", None))


def test_a_signature_that_reaches_too_far_is_refused_with_its_line(tmp_path: Path) -> None:
    text = (BUILT_IN / "credential" / "stripe-live-key.yaml").read_text()
    (tmp_path / "credential").mkdir()
    lines = ["pattern: 'sk_live_.*'" if line.startswith("pattern:") else line for line in text.splitlines()]
    (tmp_path / "credential" / "a.yaml").write_text("\n".join(lines))

    with pytest.raises(SignatureError, match=r"a\.yaml:\d+: pattern: it may find any number of characters"):
        load_signatures(tmp_path)
