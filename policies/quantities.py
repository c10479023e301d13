"""Amounts as people write them: `600/min`, `50 USD/day`, `64 KiB`, `90d`, `1%`."""

from __future__ import annotations

import re
from typing import Final

from policies.amounts import Budget, Rate

_SECONDS: Final = {
    "s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "day": 86_400, "week": 604_800,
    "month": 2_592_000,  # 30 days
}  # fmt: skip
_FACTORS: Final = {"": 1, "k": 1000, "m": 1000_000}
_LARGEST: Final = 1 << 40
_SIZES: Final = {
    "": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30,
}  # fmt: skip
_DAYS: Final = {"d": 1, "w": 7, "y": 365}
_LONGEST: Final = 3650


def parse_rate(value: object) -> Rate:
    """Read `600/min`, `2k/hour` or `10/s`. Raises ValueError."""
    # Single spaces only: two neighbouring `\s*` would take quadratic time over a long run of them.
    text = " ".join(value.split()) if isinstance(value, str) else ""
    match = re.fullmatch(r"([0-9]{1,12}) ?([kKmM]?) ?(?:per|/) ?([a-z]+)", text)
    if match is None or match.group(3) not in _SECONDS:
        raise ValueError("expected a rate such as 600/min (s, min, hour, day, week, month)")
    limit = int(match.group(1)) * _FACTORS[match.group(2).lower()]
    if not 0 < limit <= 1_000_000_000:
        raise ValueError("expected a rate between 1 and 1000000000")
    return Rate(limit, _SECONDS[match.group(3)])


def parse_budget(value: object) -> Budget:
    """Read `50 USD/day` or `0.5 USD/hour`. Raises ValueError."""
    text = " ".join(value.split()) if isinstance(value, str) else ""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) ?USD ?(?:per|/) ?([a-z]+)", text)
    if match is None or match.group(2) not in _SECONDS or float(match.group(1)) == 0:
        raise ValueError("expected a budget such as 50 USD/day (s, min, hour, day, week, month)")
    return Budget(float(match.group(1)), _SECONDS[match.group(2)])


def parse_duration(value: object) -> float:
    """Read `30min`, `90s`, `2h` or `1day` as seconds. Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?([a-z]+)", value.strip()) if isinstance(value, str) else None
    unit = match.group(2).removesuffix("s") or "s" if match is not None else ""
    seconds = float(match.group(1)) * _SECONDS[unit] if match is not None and unit in _SECONDS else 0.0
    if not 1 <= seconds <= _SECONDS["month"]:
        raise ValueError("expected a length of time such as 30min (s, min, h, day), from 1s to 30 days")
    return seconds


def parse_share(value: object) -> float:
    """Read `1%` or `0.2%` as a share between 0 and 1. Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,4})?) ?%", value.strip()) if isinstance(value, str) else None
    if match is None or float(match.group(1)) > 100:
        raise ValueError("expected a percentage such as 1%")
    return float(match.group(1)) / 100


def parse_size(value: object) -> int:
    """Read `64 KiB`, `4 MiB` or a plain number. Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,15})\s*([a-zA-Z]*)", str(value).strip()) if isinstance(value, str | int) else None
    if match is None or match.group(2).lower() not in _SIZES:
        raise ValueError("expected a size such as 64 KiB (B, KB, KiB, MB, MiB, GB, GiB)")
    size = int(match.group(1)) * _SIZES[match.group(2).lower()]
    if not 0 < size <= _LARGEST:
        raise ValueError("expected a size between 1 B and 1 TiB")
    return size


def parse_days(value: object) -> int:
    """Read `90d`, `12w` or `2y` (365 days each) as whole days. Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,4}) ?([dwy])", value.strip()) if isinstance(value, str) else None
    days = int(match.group(1)) * _DAYS[match.group(2)] if match is not None else 0
    if not 0 < days <= _LONGEST:
        raise ValueError("expected a number of days such as 90d (d, w, y), from 1d to 10y")
    return days
