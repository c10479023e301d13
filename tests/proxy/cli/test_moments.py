"""Moments as people type them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from proxy.cli.moments import parse_moment

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("30s", timedelta(seconds=30)),
        ("90m", timedelta(minutes=90)),
        ("2h", timedelta(hours=2)),
        (" 7 d", timedelta(days=7)),
        ("4w", timedelta(weeks=4)),
        ("0h", timedelta()),
    ],
)
def test_a_length_of_time_is_counted_back(text: str, ago: timedelta) -> None:
    assert parse_moment(text, NOW) == NOW - ago


def test_an_offset_is_respected() -> None:
    wanted = datetime(2026, 3, 1, 12, 30, tzinfo=timezone(timedelta(hours=1)))
    assert parse_moment("2026-03-01T12:30:00+01:00", NOW) == wanted
    assert parse_moment("2026-03-01T11:30:00Z", NOW) == wanted


def test_without_an_offset_it_is_local_time_as_tail_shows_it() -> None:
    assert parse_moment("2026-03-01 12:30", NOW) == datetime(2026, 3, 1, 12, 30).astimezone()


@pytest.mark.parametrize(
    "text", ["", "2", "h", "2x", "-2h", "1.5h", "999999w", "yesterday", "2026-13-01", "1969-12-31T00:00Z", "٢h"]
)
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time"):
        parse_moment(text, NOW)
