"""The checks behind signatures accept what is real and refuse what only looks so."""

from __future__ import annotations

import pytest

from detectors.validators import VALIDATORS


@pytest.mark.parametrize(
    ("check", "found"),
    [
        ("luhn", "4111 1111 1111 1111"),
        ("luhn", "3782-822463-10005"),
        ("iban", "DE89 3704 0044 0532 0130 00"),
        ("iban", "GB29NWBK60161331926819"),
        ("us_ssn", "536-90-4399"),
        ("phone", "+49 (0)30 901820"),
        ("phone", "(212) 555-0123"),
        ("random", "q9Zt3LxV7bKd1RmWc5Yp"),
    ],
)
def test_what_is_real_passes(check: str, found: str) -> None:
    assert VALIDATORS[check](found)


@pytest.mark.parametrize(
    ("check", "found"),
    [
        ("luhn", "4111 1111 1111 1112"),
        ("luhn", "0000 0000 0000 0000"),
        ("luhn", "42"),
        ("iban", "DE88 3704 0044 0532 0130 00"),
        ("iban", "XX89 3704 0044"),
        ("us_ssn", "000-12-3456"),
        ("us_ssn", "078-05-1120"),
        ("phone", "+1 000 000 0000"),
        ("phone", "not a number"),
        ("random", "your-api-key-123456"),
        ("random", "AKIAIOSFODNN7EXAMPLE"),
        ("random", "aaaaaaaaaaaaaaaaaaaa1"),
    ],
)
def test_what_only_looks_so_is_refused(check: str, found: str) -> None:
    assert not VALIDATORS[check](found)
