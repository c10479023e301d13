from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from proxy.control.console.times import brief, relative, time_element

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ago", "words", "short"),
    [
        (timedelta(seconds=2), "just now", "2 s ago"),
        (timedelta(seconds=42), "42 seconds ago", "42 s ago"),
        (timedelta(minutes=1), "1 minute ago", "1 min ago"),
        (timedelta(hours=5), "5 hours ago", "5 h ago"),
        (timedelta(days=3), "3 days ago", "3 d ago"),
        (timedelta(days=100), "3 months ago", "2025-11-21"),
        (timedelta(days=-2), "in 2 days", "in 2 d"),
        (timedelta(days=1000), "2 years ago", "2023-06-05"),
    ],
)
def test_moments_are_told_in_words(ago: timedelta, words: str, short: str) -> None:
    assert relative(NOW - ago, NOW) == words
    assert brief(NOW - ago, NOW) == short


def test_the_exact_moment_is_utc_wherever_it_was_told() -> None:
    there = datetime(2026, 3, 1, 10, tzinfo=timezone(timedelta(hours=2)))
    assert "2026-03-01 08:00:00 UTC" in time_element(there, NOW)
    assert 'title="2026-03-01 08:00:00 UTC"' in time_element(there, NOW, short=True)


def test_days_are_days() -> None:
    assert "2026-03-03" in time_element(date(2026, 3, 3), NOW)
    assert "in 2 days" in time_element(date(2026, 3, 3), NOW)
    assert "today" in time_element("2026-03-01", NOW)


def test_what_is_no_moment_is_escaped() -> None:
    assert time_element("<b>\u202e") == "&lt;b&gt;\u2039U+202E\u203a"
    assert "never" in time_element(None)
