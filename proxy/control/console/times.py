"""Times as people read them: UTC, and how long ago or how far ahead in words."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final

from markupsafe import Markup

from proxy.control.console.visible import visible

_STEPS: Final = ((60, 1, "second"), (3600, 60, "minute"), (86400, 3600, "hour"), (86400 * 60, 86400, "day"))
_BRIEF: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_MONTH: Final = 86400 * 30.44
_YEAR: Final = 86400 * 365.25


def relative(moment: datetime, now: datetime) -> str:
    """Return `3 minutes ago`, `in 2 days`, `just now`."""
    seconds = (now - moment).total_seconds()
    ahead, size = seconds < 0, abs(seconds)
    if size < 5:
        return "just now"
    words = _amount(size)
    return f"in {words}" if ahead else f"{words} ago"


def brief(moment: datetime, now: datetime) -> str:
    """Return `6 s ago`, `in 2 h`: for the columns of a table."""
    seconds = (now - moment).total_seconds()
    size = abs(seconds)
    if size >= 60 * 86400:
        return f"{moment:%Y-%m-%d}"
    if size < 1:
        return "now"
    unit, name = next((unit, name) for unit, name in _BRIEF if size >= unit)
    return f"in {size // unit:.0f} {name}" if seconds < 0 else f"{size // unit:.0f} {name} ago"


def _amount(size: float) -> str:
    for below, unit, name in _STEPS:
        if size < below:
            return _plural(int(size / unit), name)
    if size < 2 * _YEAR:
        return _plural(int(size / _MONTH), "month")
    return _plural(int(size / _YEAR), "year")


def _plural(count: int, name: str) -> str:
    return f"{count} {name}{'s' * (count != 1)}"


def time_element(value: datetime | date | str | None, now: datetime | None = None, *, short: bool = False) -> Markup:
    """Return a `<time>`: relative words with the moment in UTC beside them, or with `short` only on hovering."""
    if value is None or value == "":
        return Markup('<span class="quiet">never</span>')
    moment = _moment(value)
    if moment is None:
        return Markup("{}").format(visible(str(value)))
    if not isinstance(value, datetime) and len(str(value)) == 10:
        today = (now or datetime.now(UTC)).date()
        days = (moment.date() - today).days
        words = "today" if days == 0 else relative(moment, datetime(today.year, today.month, today.day, tzinfo=UTC))
        return Markup('<time datetime="{}">{} <span class="quiet">{}</span></time>').format(value, value, words)
    exact = f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    now = now or datetime.now(UTC)
    if short:
        return Markup('<time datetime="{}" title="{}">{}</time>').format(moment.isoformat(), exact, brief(moment, now))
    words = relative(moment, now)
    return Markup('<time datetime="{}">{} <span class="quiet">{}</span></time>').format(
        moment.isoformat(), exact, words
    )


def _moment(value: datetime | date | str) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
