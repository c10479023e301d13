"""Moments as people type them: `2h` ago, `7d` ago, or a date and time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO: Final = re.compile(r"([0-9]{1,6}) ?([smhdw])")
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)


def parse_moment(text: str, now: datetime) -> datetime:
    """Read `30m`, `2h`, `7d`, `4w` (before `now`), or ISO 8601, local without an offset. Raises ValueError."""
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago is not None:
            moment = now - timedelta(**{_UNITS[ago.group(2)]: int(ago.group(1))})
        else:
            moment = datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("expected a time such as 2h, 7d, 2027-03-01 or 2027-03-01T12:30:00+01:00") from None
    if moment < _EARLIEST:
        raise ValueError("expected a time after 1970")
    return moment
