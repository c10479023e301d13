"""What made-up numbers are put together of: digits, weights, check digits, days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random  # noqa: TID251 - a seeded set, not a secret
from typing import Final

_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def digits_of(rng: Random, count: int) -> list[int]:
    return [rng.randint(0, 9) for _ in range(count)]


def text_of(digits: Iterable[int]) -> str:
    return "".join(map(str, digits))


def dot(digits: Sequence[int], weights: Sequence[int]) -> int:
    return sum(d * w for d, w in zip(digits, weights, strict=True))


def shown(text: str, groups: Sequence[int], separator: str) -> str:
    parts, start = list[str](), 0
    for size in groups:
        parts.append(text[start : start + size])
        start += size
    return separator.join([*parts, text[start:]] if text[start:] else parts)


def luhn_digit(digits: Sequence[int]) -> int:
    doubled = [d * 2 if i % 2 == 0 else d for i, d in enumerate(reversed(digits))]
    return -sum(d - 9 if d > 9 else d for d in doubled) % 10


def day_of_birth(rng: Random) -> tuple[int, int, int]:
    month = rng.randint(1, 12)
    return rng.randint(1940, 2005), month, rng.randint(1, _DAYS[month - 1])
