"""Numbers as people read them: grouped, shortened, with their unit."""

from __future__ import annotations

from typing import Final

_NOTHING: Final = "\u2013"


def grouped(value: float | None) -> str:
    """Return `12 345` with thin spaces between groups; nothing for None."""
    return _NOTHING if value is None else f"{value:,.0f}".replace(",", "\u202f")


def short(value: float | None) -> str:
    """Return `950`, `1.2k`, `3.4M`."""
    if value is None:
        return _NOTHING
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            scaled = value / (1e3 if letter == "k" else size)
            return f"{scaled:.1f}{letter}".replace(".0", "")
    return grouped(value)


def milliseconds(value: float | None) -> str:
    """Return `0.84 ms`, `12 ms`, `1.3 s`."""
    if value is None:
        return _NOTHING
    if value >= 1000:
        return f"{value / 1000:.1f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.2f} ms"


def share(part: float, whole: float) -> str:
    """Return a percentage with as many digits as it needs, `0 %` of nothing."""
    if not whole or not part:
        return "0 %"
    percent = 100 * part / whole
    if percent >= 10:
        return f"{percent:.0f} %"
    return f"{percent:.1f} %" if percent >= 0.1 else "< 0.1 %"


def money(value: float | str | None) -> str:
    """Return US dollars, with four digits where it is less than one."""
    if value is None:
        return _NOTHING
    amount = float(value)
    return f"${amount:,.2f}" if abs(amount) >= 1 or amount == 0 else f"${amount:.4f}"


def counted(count: int, noun: str, many: str = "") -> str:
    """Return `1 block`, `3 blocks`."""
    return f"{grouped(count)} {noun if count == 1 else many or noun + 's'}"


def lasting(seconds: float | None) -> str:
    """Return `45 seconds`, `1 minute`, `24 hours`, `30 days`: in the largest unit that leaves no rest, or about."""
    if seconds is None:
        return _NOTHING
    whole = max(1, round(seconds))
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if whole % size == 0 or whole >= 10 * size:
            return counted(round(whole / size), unit)
    return counted(whole, "second")
