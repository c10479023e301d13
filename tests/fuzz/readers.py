"""One document, three readers: what two of them read differently could pass one and reach the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson


def readings(body: bytes) -> tuple[Any, Any, Any]:
    """Return what orjson, the standard library, and a reader that keeps the first of equal keys make of a body.

    Floats are compared as every reader has them; integers keep all of their digits where a reader can.
    """
    return orjson.loads(body), json.loads(body), json.loads(body, object_pairs_hook=_first_wins)


def alike(body: bytes) -> bool:
    """Tell whether all of them read the same, down to the type of each number, except where orjson has but floats."""
    quick, standard, first = readings(body)
    return _same(quick, standard) and repr(standard) == repr(first)


def strings(value: Any) -> Iterator[str]:
    """Yield every string and every key below `value`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, child in value.items():
            yield key
            yield from strings(child)
    elif isinstance(value, list):
        for child in value:
            yield from strings(child)


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    return found


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) and isinstance(other, int):
        return one == float(other)  # beyond 64 bits orjson reads integers as floats
    return type(one) is type(other) and one == other
