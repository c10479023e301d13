"""What a stream holds back: everything that a pattern may still grow into, and hardly anything else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import detectors.decoders
from detectors.beginnings import Beginnings, beginnings_of
from detectors.decoding import Decoder
from detectors.discovery import discover
from detectors.matcher import Matcher
from detectors.normalise import fold
from detectors.pattern import Pattern
from detectors.rules import Signature, expression_of, load_signatures

SIGNATURES = load_signatures().signatures


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda signature: signature.id)
def test_an_example_is_held_from_its_beginning_wherever_it_is_cut(signature: Signature) -> None:
    pattern = expression_of(signature)
    beginnings, matcher = Beginnings([pattern]), Matcher([pattern], engine="re2")
    for example in signature.examples.match:
        text = f"so: {fold(example) if signature.folded else example}"
        for span in matcher.spans(0, text):
            assert all(beginnings.earliest(text[:cut]) <= span.start for cut in range(span.start + 1, span.end))


@pytest.mark.parametrize("decoder", discover(detectors.decoders, "DECODER", Decoder), ids=lambda d: d.name)
def test_the_gate_of_every_decoder_can_be_taken_apart(decoder: Decoder) -> None:
    assert Beginnings([Pattern(decoder.gate)]).earliest("...") <= 3


@pytest.mark.parametrize(
    ("expression", "text", "held"),
    [
        ("abc", "xxab", "ab"),
        ("abc", "xxabd", ""),
        ("abc", "abc", "abc"),
        ("a(?:b|cd){2,}e", "zacdb", "acdb"),
        (r"\bto \d{3,4}\b", "go to 12", "to 12"),
        (r"(?:^|[^a-z])key", "my ke", " ke"),
        (r"(?i:Sk)-[^\s,]+", "a SK-1$", "SK-1$"),
        (r"[\x{E0}-\x{E9}]+!", "sans \u00e0\u00e9", "\u00e0\u00e9"),
        ("a.{30}b", f"a{'x' * 40}", f"a{'x' * 40}"),  # nobody counts that far
        ("word", "\ud800 wor", "wor"),
    ],
)
def test_what_may_go_on_is_held(expression: str, text: str, held: str) -> None:
    assert text[Beginnings([Pattern(expression)]).earliest(text) :] == held


@pytest.mark.parametrize("expression", ["a(?=b)", "a(?<!b)", r"(a)\1", "(", "a(?P<n>b)(?P=n)"])
def test_what_nobody_can_take_apart_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="how it begins cannot be told"):
        beginnings_of(expression)


def test_nothing_is_held_of_no_patterns() -> None:
    assert Beginnings([]).earliest("text") == 4


def test_beginnings_are_found_in_linear_time(linear: Callable[..., bool]) -> None:
    beginnings = Beginnings(map(expression_of, SIGNATURES))

    assert linear(beginnings.earliest, "you are now act as a word and ", size=20_000)


def test_the_reader_of_patterns_is_there() -> None:
    # It is the standard library's own, but no public part of it: a release that moves it must fail here.
    assert beginnings_of("a") == r"(?:(?:a|\z))"
