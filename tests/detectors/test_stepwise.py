"""What is done in steps comes to the same as what is done at once."""

from __future__ import annotations

import re

import pytest

from detectors.stepwise import LONG, STEP, every, matches, replaced, whole_runs

BEGIN, MORE = re.compile("(?<!b)(?:ab){3,5}+"), re.compile("(?:ab){1,5}+")
WHOLE = re.compile("(?<!b)(?:ab){3,}+")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ababab",
        "xabababy" * 9,
        "ab" * STEP,
        f"{'x' * (STEP - 3)}{'ab' * 4}",
        f"{'x' * (STEP + 4090)}{'ab' * 40}{'x' * 3 * STEP}{'ab' * 3}",
        "xxab" * STEP,
        "bababab" * STEP,
    ],
)
def test_runs_of_any_length_are_found_whole(text: str) -> None:
    assert list(whole_runs(BEGIN, MORE, text)) == [match.span() for match in WHOLE.finditer(text)]


def test_what_only_looks_like_a_run_where_a_step_ends_is_none() -> None:
    begin, more = re.compile("a{3,9}+(?!a)"), re.compile("a{1,9}+(?!a)")
    text = f"{'x' * (STEP + 4093)}{'a' * 12}{'x' * STEP}"

    assert list(whole_runs(begin, more, text)) == [match.span() for match in begin.finditer(text)]


@pytest.mark.parametrize("length", [10, LONG])
def test_all_matches_are_listed_and_replaced_as_at_once(length: int) -> None:
    text, pattern = "ab " * length, re.compile("b+")

    assert every(pattern, text) == pattern.findall(text)
    assert replaced(pattern, "", text) == pattern.sub("", text)
    assert replaced(pattern, lambda match: match.group() * 2, text) == "abb " * length


@pytest.mark.parametrize("unit", ["ab", "b", "x" * 4000 + "b" * 200, "abbb" * 9000 + "x" * 50_000])
def test_matches_are_the_same_in_steps(unit: str) -> None:
    text, pattern = unit * (LONG // len(unit) + 2), re.compile("b{1,300}+(?!a)")

    assert [found.span() for found in matches(pattern, text)] == [found.span() for found in pattern.finditer(text)]
