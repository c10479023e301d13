"""YAML as people write it: what is meant is read, what is not is told with file and line, and nothing hurts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from detectors.documents import MAX_DEPTH, MAX_SIZE, Document, nearest, parse_document, read_document
from detectors.errors import ConfigurationError, PolicyError

FILE = Path("acme.yaml")


def _problem(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse_document(text, FILE)
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("012", "012"), ("0x10", "0x10"), ("1_000", "1_000"),
        ("2027-03-01", "2027-03-01"), ("12:30", "12:30"), ("1e3", "1e3"), ("+5", "+5"), (".inf", ".inf"), ("=", "="),
        ("True", "True"), ("NULL", "NULL"), ("9" * 5000, "9" * 5000), ("true", True), ("false", False), ("~", None),
        ("null", None), ("", None), ("0", 0), ("-12", -12), ("1.5", 1.5), ("'1'", "1"), ('"true"', "true"),
        ("[a, 1]", ["a", 1]),
        ("{b: no}", {"b": "no"}), ("{<<: {b: 1}}", {"<<": {"b": 1}}), ("é😀", "é😀"),
    ],
)  # fmt: skip
def test_a_value_is_what_it_looks_like(written: str, read: object) -> None:
    assert parse_document(f"a: {written}\n", FILE).content == {"a": read}


@pytest.mark.parametrize("text", ["", "# nothing\n", "\ufeff"])
def test_an_empty_document_is_an_empty_mapping(text: str) -> None:
    assert parse_document(text, FILE).content == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a\n- b", "acme.yaml:1: expected a mapping of keys to values"),
        ("just words", "acme.yaml:1: expected a mapping"),
        ("a: 1\nb: [1,\n", "acme.yaml:3: did not find expected node content"),
        ("a:\n\tb: 1", "acme.yaml:2: a tab may not indent: use spaces"),
        ("é: 1\na:\n  - b\n\t- c", "acme.yaml:4: a tab may not indent: use spaces"),
        ("a: 1\nb: @home", "acme.yaml:2: quote a text that begins with @"),
        ("a:\n  - b: 1\n   c: 2", "acme.yaml:3: expected another item, indented like those before it"),
        ("a: 'b' c", "acme.yaml:1: expected another key, indented like those before it"),
        ("a: b: c", "acme.yaml:1: no key is expected here: check the indentation, or quote a text that has a colon"),
        ("a: 'x\nb: 1", "acme.yaml:2: found unexpected end of stream"),
        ("a: 1\n---\nb: 2", "acme.yaml:2: but found another document"),
        ("a: 1\nb: 2\na: 3", "acme.yaml:3: key 'a' is given twice"),
        ("a:\n  - b: 1\n    'b': 2", "acme.yaml:3: key 'b' is given twice"),
        ("a: 1\n2: b", "acme.yaml:2: a key must be a word"),
        ("a: {true: b}", "acme.yaml:1: a key must be a word"),
        ("a: 1\n? [x]\n: y", "acme.yaml:2: a key must be a word"),
        ("a: 1\nb: *a", "acme.yaml:2: aliases are not allowed (quote a word that starts with *, & or !)"),
        ("a: &lost text", "acme.yaml:1: aliases are not allowed"),
        ("a: &x [*x]", "acme.yaml:1: aliases are not allowed"),
        ("a: 1\nb: !important", "acme.yaml:2: tags are not allowed"),
        ("a: !!python/object/apply:os.system [ls]", "acme.yaml:1: tags are not allowed"),
        ("a: !!timestamp never", "acme.yaml:1: tags are not allowed"),
        ("a: !!int ''", "acme.yaml:1: tags are not allowed"),
        ("a: !!bool maybe", "acme.yaml:1: tags are not allowed"),
        ("é: 1\nb: \x01", "acme.yaml:2: character U+0001 is not allowed"),
        ("a: 1\n\nb: \0", "acme.yaml:3: character U+0000 is not allowed"),
        ("a: 1\nb: \ud800", "acme.yaml:2: half a surrogate pair is not allowed"),
        ("%YAML 9.9\n---\na: 1", "acme.yaml:1: found incompatible YAML document"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(text: str, problem: str) -> None:
    assert _problem(text).startswith(problem)


@pytest.mark.parametrize("unit", ["[", "{a: ", "- ", "? ", "a: {b: ["])
def test_nesting_that_would_overrun_the_stack_is_refused_at_once(unit: str) -> None:
    start = time.thread_time()

    assert _problem(f"a: {unit * 60_000}" if unit[0] in "[{" else unit * 60_000)
    assert time.thread_time() - start < 1


@pytest.mark.parametrize("unit", ["[", "- "])
def test_depth_is_counted_exactly(unit: str) -> None:
    close = "]" if unit == "[" else ""
    fits = unit * (MAX_DEPTH - 1) + close * (MAX_DEPTH - 1)

    assert parse_document(f"a:\n  {fits}", FILE).content
    assert f"acme.yaml:2: nested deeper than {MAX_DEPTH}" in _problem(f"a:\n  {unit}{fits}{close}")


def test_an_alias_bomb_builds_nothing() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"{c}: &{c} [*{p}, *{p}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True))

    assert "acme.yaml:1: aliases" in _problem(bomb)


@given(st.text(st.one_of(st.sampled_from("ab:-[]{},'\"#&*!|>%@\n ?"), st.characters()), max_size=30))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    content: object = {}
    line: int | None = 1
    try:
        content = parse_document(text, FILE).content
    except ConfigurationError as exc:
        line = exc.line

    assert isinstance(content, dict)
    assert line is not None


def test_a_file_is_read_with_or_without_its_mark(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: \xc3\xa9\r\n")

    assert read_document(file).content == {"a": 1, "b": "é"}


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"a: \xff", "not UTF-8 text"),
        ("a: 1".encode("utf-16"), "not UTF-8 text"),
        (b"#" * (MAX_SIZE + 1), "larger than 256 KiB"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_the_readers_own_error(
    tmp_path: Path, raw: bytes | None, problem: str
) -> None:
    file = tmp_path / "a.yaml"
    if raw is not None:
        file.write_bytes(raw)

    with pytest.raises(PolicyError, match=problem):
        read_document(file, PolicyError)


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    action: Literal["flag", "mask", "block"]
    minimum: float = Field(default=0, ge=0, le=1, alias="min_confidence")


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    rules: tuple[Inner, ...]
    named: dict[str, Inner] = {}
    single: Inner | None = None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "rules:\n  - action: blok",
            "2: rules.0.action: expected 'flag', 'mask' or 'block' (did you mean 'block'?)",
        ),
        (
            "rules:\n  - action: flag\n    mi_confidence: 1",
            "3: unknown key 'mi_confidence' (did you mean 'min_confidence'?)",
        ),
        (
            "rules:\n  - action: flag\n    min_confidence:\n      2",
            "4: rules.0.min_confidence: expected 1 or less",
        ),
        ("rules: []\nsingel: {}", "2: unknown key 'singel' (did you mean 'single'?)"),
        ("rules: []\nqqq: {}", "2: unknown key 'qqq'"),
        ("rules: []\nsingle:\n  actoin: flag", "3: unknown key 'actoin' (did you mean 'action'?)"),
        (
            "rules: []\nnamed:\n  x:\n    action: mas",
            "4: named.x.action: expected 'flag', 'mask' or 'block' (did",
        ),
        ("rules:\n  - min_confidence: 1", "2: missing key 'action'"),
        ("single: ~", "1: missing key 'rules'"),
        ("", " missing key 'rules'"),
        ("rules: 5", "1: rules: expected a list"),
    ],
)
def test_a_wrong_model_is_told_with_line_and_nearest_word(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_document(text, FILE).validate(Outer)

    assert f"acme.yaml:{problem}" in str(caught.value)


def test_every_mistake_of_a_document_has_its_line() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_document("rules:\n  - action: x\n  - action: flag\n    more: 1", FILE).validate(Outer)

    assert [line.split(" ")[0] for line in str(caught.value).splitlines()] == ["acme.yaml:2:", "acme.yaml:4:"]


def test_an_error_does_not_hold_what_was_written() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_document("rules: sk-live-1234567890", FILE).validate(Outer)

    assert "sk-live" not in str(caught.value)


@pytest.mark.parametrize(
    ("loc", "line", "line_of_key"),
    [(("a",), 2, 1), (("a", "b"), 3, 2), (("a", "b", 1), 4, 2), (("a", "zz"), 2, 1), ((), 1, 1), (("a", "b", 9), 3, 2)],
)
def test_a_place_has_the_line_of_its_deepest_part_that_exists(
    loc: tuple[str | int, ...], line: int, line_of_key: int
) -> None:
    document: Document = parse_document("a:\n  b:\n    - x\n    - y\n", FILE)

    assert document.line(loc) == line
    assert document.line(loc, of_key=True) == (4 if loc == ("a", "b", 1) else line_of_key)


@pytest.mark.parametrize(("word", "hint"), [("blok", " (did you mean 'block'?)"), ("zzz", ""), ("", "")])
def test_the_nearest_word_is_named_if_there_is_one(word: str, hint: str) -> None:
    assert nearest(word, ["flag", "block"]) == hint
