"""Amounts as people write them."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from policies.quantities import parse_days, parse_rate, parse_size
from policies.types import Rate


@pytest.mark.parametrize(
    ("text", "limit", "seconds"),
    [
        ("600/min", 600, 60),
        (" 600 / min ", 600, 60),
        ("600 per minute", 600, 60),
        ("2k/hour", 2000, 3600),
        ("2 K/h", 2000, 3600),
        ("2M/day", 2_000_000, 86_400),
        ("10/s", 10, 1),
        ("1000m/s", 1_000_000_000, 1),
    ],
)
def test_a_rate_is_an_amount_and_a_time(text: str, limit: int, seconds: int) -> None:
    assert parse_rate(text) == Rate(limit, seconds)


@pytest.mark.parametrize(
    "value",
    ["", "600", "600/", "/min", "600/mn", "600/MIN", "-1/s", "1.5/s", "0/s", "1001m/s", "1e3/s", "6 0/s", "\u0666/s"],
)
def test_any_other_rate_is_an_error(value: object) -> None:
    with pytest.raises(ValueError, match="expected a rate"):
        parse_rate(value)


@pytest.mark.parametrize(
    "value",
    ["9" * 5000 + "/s", 600, None, True, ["600/min"]],
    ids=lambda value: str(value)[:12],
)
def test_what_is_no_short_text_is_no_rate(value: object) -> None:
    with pytest.raises(ValueError, match="expected a rate"):
        parse_rate(value)


@pytest.mark.parametrize(
    ("value", "size"),
    [("64 KiB", 65_536), ("64kib", 65_536), ("10 KB", 10_000), ("4 MiB", 4 << 20), ("1GiB", 1 << 30), ("7", 7), (7, 7)],
)
def test_a_size_is_bytes(value: object, size: int) -> None:
    assert parse_size(value) == size


@pytest.mark.parametrize(
    "value", ["", "KiB", "-1", "0", 0, -5, "1.5 MiB", "64 KxB", "2000 GiB", "9" * 5000, None, True, 1.5, ["1"]]
)
def test_any_other_size_is_an_error(value: object) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        parse_size(value)


@pytest.mark.parametrize(("text", "days"), [("90d", 90), (" 1 d ", 1), ("12w", 84), ("2y", 730), ("10y", 3650)])
def test_a_duration_is_days(text: str, days: int) -> None:
    assert parse_days(text) == days


@pytest.mark.parametrize("value", ["", "90", "0d", "-1d", "1.5d", "90D", "3651d", "11y", "9" * 5000 + "d", 90, None])
def test_any_other_duration_is_an_error(value: object) -> None:
    with pytest.raises(ValueError, match="expected a number of days"):
        parse_days(value)


@pytest.mark.parametrize("parse", [parse_rate, parse_size, parse_days])
def test_a_hostile_amount_takes_linear_time(parse: Callable[[object], object]) -> None:
    def seconds(size: int) -> float:
        started = time.process_time()
        with pytest.raises(ValueError, match="expected"):
            parse("1" + " " * size + "!")
        return time.process_time() - started

    short, long = (min(seconds(size) for _ in range(5)) for size in (20_000, 320_000))
    assert long < 80 * short  # sixteen times the text; a quadratic reading would take 256 times as long
