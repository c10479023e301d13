"""A signature loads only if it is right in every part, and the rule set changes its name when any of them does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from detectors.errors import SignatureError
from detectors.matcher import Matcher
from detectors.rules import RuleSet, Signature, Status, expression_of, load_signatures
from detectors.types import Category, Direction, Kind, Origin, Place, Segment, Severity, Span, View

GOOD: Final[dict[str, Any]] = {
    "id": "PS-INJ-900",
    "title": "A test signature",
    "description": "Finds what the test says.",
    "status": "stable",
    "category": "prompt_injection",
    "kind": "TEST_KIND",
    "severity": "high",
    "confidence": 0.8,
    "level": 1,
    "pattern": "ignore (all|previous)",
    "examples": {"match": ["ignore all", "ignore previous"], "no_match": ["a", "b"]},
}


def _write(folder: Path, name: str = "a", room: str = "prompt_injection", without: str = "", **changes: object) -> None:
    file = folder / room / f"{name}.yaml"
    file.parent.mkdir(exist_ok=True)
    content = {key: value for key, value in {**GOOD, **changes}.items() if key != without}
    file.write_text(yaml.safe_dump(content, sort_keys=False))


def _signature(**changes: object) -> Signature:
    return Signature.model_validate({**GOOD, **changes})


def test_a_folder_of_signatures_is_loaded_in_the_order_of_ids(tmp_path: Path) -> None:
    _write(tmp_path, "z", id="PS-INJ-901")
    _write(tmp_path, "b", id="PS-INJ-900")

    assert [s.id for s in load_signatures(tmp_path).signatures] == ["PS-INJ-900", "PS-INJ-901"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": "INJ-1"}, ":1: id: expected a text of the form"),
        ({"category": "prompt_injektion"}, "category: expected '"),
        ({"severity": "hihg"}, ":7: severity: expected 'low', 'medium', 'high' or 'critical'"),
        ({"confidence": 1.5}, ":8: confidence: expected 1 or less"),
        ({"level": 5}, ":9: level: expected 4 or less"),
        ({"origins": ["usr"]}, "origins.0: expected '"),
        ({"views": ["folded", "bas64"]}, "views: unknown view 'bas64' (did you mean 'base64'?)"),
        ({"views": ["folded", "as_is"]}, "views must name exactly one of 'as_is' and 'folded'"),
        ({"views": ["base64"]}, "views must name exactly one of 'as_is' and 'folded'"),
        ({"pattern": "(?=a)b"}, ":10: pattern: not in the RE2 subset"),
        ({"pattern": r"(\w+) \1"}, ":10: pattern: not in the RE2 subset"),
        ({"validate": "lun"}, "unknown check 'lun' (did you mean 'luhn'?)"),
        (
            {"examples": {"match": ["one"], "no_match": ["a", "b"]}},
            "examples.match: expected at least 2 items",
        ),
        ({"sevrity": "high"}, "unknown key 'sevrity' (did you mean 'severity'?)"),
        ({"status": "stabel"}, ":4: status: expected '"),
    ],
)
def test_a_wrong_signature_is_told_with_file_and_line(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    _write(tmp_path, **changes)

    with pytest.raises(SignatureError) as caught:
        load_signatures(tmp_path)

    assert problem in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "prompt_injection" / "a.yaml:"))


@pytest.mark.parametrize("missing", list(GOOD))
def test_nothing_that_a_signature_needs_may_be_missing(tmp_path: Path, missing: str) -> None:
    _write(tmp_path, without=missing)

    with pytest.raises(SignatureError, match=f"missing key '{missing}'"):
        load_signatures(tmp_path)


def test_an_id_is_taken_once(tmp_path: Path) -> None:
    _write(tmp_path, "a")
    _write(tmp_path, "b")

    with pytest.raises(SignatureError, match=r"b\.yaml:1: id 'PS-INJ-900' is taken by a\.yaml"):
        load_signatures(tmp_path)


def test_a_category_stands_in_its_own_folder(tmp_path: Path) -> None:
    _write(tmp_path, room="pii")

    with pytest.raises(SignatureError, match="5: category 'prompt_injection' stands in folder 'pii'"):
        load_signatures(tmp_path)


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_no_signatures_at_all_is_a_mistake_and_not_a_rule_set(tmp_path: Path, folder: str) -> None:
    with pytest.raises(SignatureError, match="holds no signatures"):
        load_signatures(tmp_path / folder)


def test_the_revision_changes_with_any_signature() -> None:
    one = RuleSet((_signature(),))

    assert one.revision == RuleSet((_signature(),)).revision
    assert one.revision.startswith("sha256:")
    for changes in ({"pattern": "ignore (all|prior)"}, {"confidence": 0.7}, {"id": "PS-INJ-901"}, {"validate": "luhn"}):
        assert RuleSet((_signature(**changes),)).revision != one.revision


def test_a_rule_set_gives_what_is_in_force() -> None:
    deprecated = _signature(id="PS-INJ-901", status=Status.DEPRECATED)
    other = _signature(id="PS-PII-900", category=Category.PII)
    rules = RuleSet((_signature(), deprecated, other))

    assert [s.id for s in rules.of([Category.PROMPT_INJECTION])] == ["PS-INJ-900"]


@pytest.mark.parametrize(
    ("origins", "read"),
    [
        ((), set(Origin)),
        (("user",), {Origin.USER, Origin.UNKNOWN}),
        (("document",), {Origin.TOOL}),
        (("tool", "assistant"), {Origin.TOOL, Origin.ASSISTANT}),
    ],
)
def test_a_signature_reads_its_origins(origins: tuple[str, ...], read: set[Origin]) -> None:
    signature = _signature(origins=origins)

    assert {origin for origin in Origin if signature.reads_origin(origin)} == read


@pytest.mark.parametrize(
    ("views", "transforms", "reads"),
    [
        (("folded",), ("base64", "hex", "folded"), True),
        (("folded", "base64"), ("folded",), True),
        (("folded", "base64"), ("cleaned", "base64", "folded", "skeleton"), True),
        (("folded", "base64"), ("base64", "hex", "folded"), False),
        (("folded", "base64"), ("joined", "rot13", "folded"), False),
    ],
)
def test_a_signature_looks_behind_its_decoders(
    views: tuple[str, ...], transforms: tuple[str, ...], reads: bool
) -> None:
    segment = Segment(Direction.REQUEST, Origin.USER, Kind.TEXT, Place.VALUE, "/0", "x")

    assert _signature(views=views).reads_view(View(segment, "x", transforms, None)) is reads


def test_a_folded_pattern_is_folded_like_the_text() -> None:
    expression = expression_of(_signature(pattern="don\u2019t [éÉ]tude"))

    assert Matcher([expression]).matching("don't etude") == [0]
    assert expression.caseless


def test_a_folded_dash_in_brackets_is_a_dash_and_no_range() -> None:
    matcher = Matcher([expression_of(_signature(pattern="ab[+\u2013a]cd"))])

    assert [text for text in ("ab-cd", "ab+cd", "abAcd", "ab0cd") if matcher.matching(text)] == [
        "ab-cd",
        "ab+cd",
        "abAcd",
    ]


def test_an_as_is_pattern_stays_as_it_is() -> None:
    assert expression_of(_signature(pattern="Zoë[A-Z]", views=("as_is",))).expression == "Zoë[A-Z]"


def test_a_check_decides_what_is_accepted() -> None:
    right, wrong = "card 4111 1111 1111 1111", "card 4111 1111 1111 1112"

    assert _signature().accepts(wrong, Span(5, 24))
    assert _signature(validate="luhn").accepts(right, Span(5, 24))
    assert not _signature(validate="luhn").accepts(wrong, Span(5, 24))


def test_what_stands_around_decides_too() -> None:
    address = "ssh://deploy@git.acme.example"

    assert _signature(validate="mailbox").accepts(address[6:], Span(0, 23))
    assert not _signature(validate="mailbox").accepts(address, Span(6, 29))


def test_severity_is_read_by_its_name() -> None:
    assert _signature(severity="critical").severity is Severity.CRITICAL
