"""Placeholders: one for each value, the same in every request of an app, and nobody else's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.types import Category, Direction, Origin, Span
from policies.loader import load_preset
from policies.types import Edit, Facts, Pseudonym
from proxy.app import Detection
from proxy.bodies.pointer import UneditableError
from proxy.bodies.walk import Walk
from proxy.pseudonyms.pseudonyms import LONGEST, Pseudonyms
from proxy.screen import Screen

KEY = b"k" * 32
FORM = re.compile(r"\[[A-Z0-9_]+_[2-9b-z]{12}\]")
KINDS = st.sampled_from(
    ["EMAIL", "PAYMENT_CARD", "US_SSN", "AWS_SECRET_KEY", "a kind that is far longer than any name"]
)


@given(kind=KINDS | st.text(min_size=1, max_size=60), value=st.text(max_size=40))
def test_a_placeholder_is_short_plain_and_always_the_same(kind: str, value: str) -> None:
    placeholder = Pseudonyms(KEY).issue(kind, value)
    assert FORM.fullmatch(placeholder)
    assert len(placeholder) <= LONGEST
    assert Pseudonyms(KEY).issue(kind, value) == placeholder


@given(values=st.lists(st.text(max_size=8), unique=True, max_size=20))
def test_no_two_values_have_the_same(values: list[str]) -> None:
    pseudonyms = Pseudonyms(KEY)
    placeholders = {pseudonyms.issue("EMAIL", value): value for value in values}
    assert len(placeholders) == len(values)
    assert all(pseudonyms.value_of(placeholder) == value for placeholder, value in placeholders.items())


def test_where_two_would_collide_the_second_gets_another() -> None:
    taken = Pseudonyms(KEY).issue("EMAIL", "anna@example.org")
    pseudonyms = Pseudonyms(KEY)
    pseudonyms.adopt({taken: "ben@example.org"})
    other = pseudonyms.issue("EMAIL", "anna@example.org")
    assert other != taken
    assert (pseudonyms.value_of(taken), pseudonyms.value_of(other)) == ("ben@example.org", "anna@example.org")


def test_another_key_gives_another_and_knows_no_strangers() -> None:
    theirs = Pseudonyms(b"t" * 32).issue("EMAIL", "anna@example.org")
    ours = Pseudonyms(KEY)
    assert ours.issue("EMAIL", "anna@example.org") != theirs
    assert ours.value_of(theirs) is None


def test_two_spellings_of_one_address_look_related_and_stay_apart() -> None:
    pseudonyms = Pseudonyms(KEY)
    one, other = pseudonyms.issue("EMAIL", "Anna@example.org"), pseudonyms.issue("EMAIL", "anna@example.org")
    assert one != other
    assert one[:14] == other[:14]
    assert pseudonyms.value_of(one) == "Anna@example.org"


def test_what_is_put_back_has_an_end() -> None:
    pseudonyms = Pseudonyms(KEY)
    assert [pseudonyms.afford("x" * (3 << 20)) for _ in range(4)] == [True, True, False, False]


def test_nothing_of_a_value_shows_when_it_is_printed() -> None:
    pseudonyms = Pseudonyms(KEY)
    pseudonyms.issue("EMAIL", "anna@example.org")
    assert "anna" not in f"{pseudonyms!r} {pseudonyms}"


def named(text: str, span: Span) -> tuple[Pseudonyms, str]:
    pseudonyms = Pseudonyms(KEY)
    (edit,) = pseudonyms.name_values({"a": text}, [Edit("/a", span, Pseudonym("EMAIL"))])
    return pseudonyms, str(edit.replacement)


def test_an_edit_gets_the_placeholder_of_what_stands_there() -> None:
    pseudonyms, placeholder = named("to anna@example.org!", Span(3, 19))
    assert pseudonyms.value_of(placeholder) == "anna@example.org"


def test_inside_json_the_value_is_what_the_json_means() -> None:
    pseudonyms, placeholder = named('{"to": "m\\u00fcller@example.org"}', Span(8, 31))
    assert pseudonyms.value_of(placeholder) == "müller@example.org"


def test_what_is_no_pseudonym_or_stands_nowhere() -> None:
    mask = Edit("/a", Span(0, 1), "[EMAIL]")
    assert Pseudonyms(KEY).name_values({"a": "x"}, [mask]) == [mask]
    with pytest.raises(UneditableError):
        Pseudonyms(KEY).name_values({}, [Edit("/a", Span(0, 1), Pseudonym("EMAIL"))])


CONTEXTS = [
    "{}",
    "Write to {}.",
    "password: {}",
    "Authorization: Bearer {}",
    "api_key={}",
    "key {} and {}",
    '{{"to": "{}"}}',
]


async def test_no_detector_takes_a_placeholder_for_anything(detection: Detection, screen: Screen) -> None:
    pseudonyms = Pseudonyms(KEY)
    of_persons = {Category.PII, Category.CREDENTIAL}
    kinds = sorted({known.kind for known in detection.rules.signatures if known.category in of_persons})
    walk = Walk(Direction.RESPONSE, frozenset())
    for kind in kinds:
        for number, context in enumerate(CONTEXTS):
            one, other = (pseudonyms.issue(kind, f"{number} {side}") for side in "ab")
            walk.visit(context.format(one, other), Origin.ASSISTANT, f"/{len(walk.segments)}")
    policy = load_preset("preset/standard").policy
    screened = await screen.judge(walk, policy, Facts(at=0.0), 1, KEY)
    assert len(walk.segments) > 150
    assert [judged.finding.hit.rule_id for judged in screened.verdict.judged] == []
