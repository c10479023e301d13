"""What may be matched byte by byte."""

from __future__ import annotations

import pytest

from detectors.bytewise import is_bytewise


@pytest.mark.parametrize(
    ("expression", "bytewise"),
    [
        (r"ignore (?:all|any) [a-z.]+ ?\.", True),
        (r"(?:[^ .!?]+ ){0,6}key", True),
        (r"[^<>\]]*>", True),
        (r"don.t", False),
        (r".*key", False),
        (r"[^ a]x", False),
        (r"[^ .!?]{0,9}key", False),
        (r"[\])}][^\]]", False),
        (r"\Wkey", False),
        (r"\x{200B}", False),
        ("straße", False),
    ],
)
def test_what_stands_for_one_character_is_not_matched_byte_by_byte(expression: str, bytewise: bool) -> None:
    assert is_bytewise(expression) is bytewise
