"""A test is written down strictly: one subject, known facts, a moment that is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.documents import parse_document
from detectors.errors import PolicyError
from detectors.types import Origin
from policies.expectations import TestDocument, TestFileDocument


def one(text: str) -> TestDocument:
    return parse_document(f"name: t\nexpect: allow\n{text}", Path("t.yaml"), PolicyError).validate(TestDocument)


def test_a_conversation_keeps_its_order_and_its_authors() -> None:
    turns = one("conversation: [{system: a}, {user: b}, {document: c}]").turns
    assert turns == ((Origin.SYSTEM, "a"), (Origin.USER, "b"), (Origin.TOOL, "c"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user: a\ntool: b", "exactly one of"),
        ("", "exactly one of"),
        ("user: a\nanswer: b", "exactly one of"),
        ("conversation: [{user: a, tool: b}]", "a message has exactly one of"),
        ("user: a\nfacts: {modle: x}", "did you mean 'model'"),
        ("user: a\nat: yesterday", "expected a day or a moment"),
        ("user: a\ncontent: 1234", "content"),
        ("request: {path: v1, body: {}}", "path"),
    ],
)
def test_what_cannot_be_meant_is_an_error(text: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        one(text)


def test_a_day_is_its_first_moment_in_utc() -> None:
    assert one("user: a\nat: 1970-01-02").at == 86400


def test_a_file_of_tests_has_tests() -> None:
    with pytest.raises(PolicyError, match="tests"):
        parse_document("tests: []", Path("t.yaml"), PolicyError).validate(TestFileDocument)
