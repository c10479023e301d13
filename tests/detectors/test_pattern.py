"""Patterns: what is looked for in the one pass."""

from __future__ import annotations

import pytest

from detectors.matcher import EngineName, Matcher
from detectors.pattern import Pattern

RULE = Pattern(r"\b(?:print|show)(?: [a-z]+){0,3} (id_rsa)\b", caseless=True, gate="id_rsa")


def test_a_pattern_without_a_gate_is_looked_for_itself() -> None:
    assert Pattern("a+b").looked_for == "a+b"
    assert RULE.looked_for == "id_rsa"


@pytest.mark.parametrize("engine", ["hyperscan", "re2"])
@pytest.mark.parametrize(("text", "found"), [("Show me id_rsa", [0]), ("my ID_RSA is here", []), ("show me", [])])
def test_what_passes_a_gate_must_still_match(engine: EngineName, text: str, found: list[int]) -> None:
    matcher = Matcher([RULE], engine)

    assert matcher.matching(text) == found
    assert matcher.occurs_in(text.encode()) is bool(found)
