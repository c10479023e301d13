"""JSON in and out: the one reading that is scanned is the one that is sent, down to the last digit."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, NoReturn

import orjson

from detectors.matcher import Matcher
from detectors.pattern import Pattern
from detectors.rules import STORE

MAX_DEPTH: Final = 64
# Half a megabyte of empty arrays holds the interpreter for 70 ms while it is parsed, and again when it is forgotten.
MOST_CONTAINERS: Final = 100_000
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)

# Numbers that would not come back as they were written: too long for a float, with an exponent, with a last zero, or
# minus zero. They are looked for after JSON's own punctuation, so that digits inside a text rarely cost the slow path
# (and never anything but time).
_EXACT_NUMBERS: Final = Matcher(
    [
        Pattern(r"[\[,:\s]-?(?:[0-9]\.?){16}"),
        Pattern(r"[\[,:\s]-?[0-9][0-9.]{0,15}[eE]"),
        Pattern(r"[\[,:\s]-?[0-9]{1,15}\.(?:[0-9]{1,14}0|00000)"),
        Pattern(r"[\[,:\s]-0[\],}\s]"),
        Pattern(r"^\s*[-0-9]"),
    ],
    store=STORE,
)


class JsonError(ValueError):
    """The bytes are not one JSON document. `str()` says why, without quoting them."""


@dataclass(frozen=True, slots=True)
class NumberToken:
    """A number kept as it was written, because a float would change it."""

    text: str


def parse(raw: bytes) -> Any:
    """Return the document. Duplicate keys: the last one is the reading.

    Raises JsonError, also beyond 64 levels, and beyond 100,000 arrays and objects.
    """
    body = raw.removeprefix(b"\xef\xbb\xbf")
    openings = _openings(body)
    if openings > MOST_CONTAINERS and _openings(_STRING.sub(b"", body)) > MOST_CONTAINERS:
        raise JsonError(f"more than {MOST_CONTAINERS} arrays and objects")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise JsonError(f"{exc.msg} at line {exc.lineno}, column {exc.colno}") from None
    if openings > MAX_DEPTH and _deeper_than(document, MAX_DEPTH):
        raise JsonError(f"nested deeper than {MAX_DEPTH} levels")
    if _EXACT_NUMBERS.occurs_in(body):
        return _parse_exactly(body)
    return document


def repeats_a_key(raw: bytes, document: object) -> bool:
    """Tell whether an object in what `document` was parsed from has a key twice: others read the first of them."""
    # Outside of strings a colon stands behind a key and nowhere else.
    return _STRING.sub(b"", raw).count(b":") != _keys_in(document)


def read_string(raw: str) -> str | None:
    """Return the string whose JSON this is, None where it is anything else."""
    if not raw.startswith('"'):
        return None
    try:
        text: str = orjson.loads(raw)  # nothing but a string begins like one, so nothing else of `parse` applies
    except orjson.JSONDecodeError:
        return None
    return text


def read_object(raw: bytes) -> dict[str, Any] | None:
    """Return the object that the bytes are, None where they are anything else."""
    try:
        document = parse(raw)
    except JsonError:
        return None
    return document if isinstance(document, dict) else None


def parse_generously(text: str) -> Any:
    """Return what a reader that takes more for JSON than the standard does makes of a text, None if nothing.

    Only to find out what somebody else could read: nothing that is sent on was read like this.
    """
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def dump(document: object) -> bytes:
    """Return the serialisation that goes out. Raises TypeError for what no parser of ours makes."""
    # Left to itself, orjson writes a dataclass as an object.
    return orjson.dumps(document, default=_fragment, option=orjson.OPT_PASSTHROUGH_DATACLASS)


def same_as(document: object) -> bytes:
    """Return what all documents have in common, and no others, that are equal but for the order of their keys."""
    option = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_SORT_KEYS
    return orjson.dumps(document, default=_fragment, option=option)


def is_json(text: str) -> bool:
    """Tell whether a string is itself a JSON object or array, as tool arguments are."""
    if text.lstrip()[:1] not in {"{", "["}:
        return False
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _parse_exactly(body: bytes) -> Any:
    return json.loads(body, parse_float=NumberToken, parse_int=_integer, parse_constant=_refuse_constant)


def _integer(digits: str) -> int | NumberToken:
    return int(digits) if len(digits) <= 18 and digits != "-0" else NumberToken(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise JsonError(f"{name} is not JSON")


def _fragment(value: object) -> orjson.Fragment:
    if isinstance(value, NumberToken):
        return orjson.Fragment(value.text)
    raise TypeError(type(value).__name__)


def _openings(body: bytes) -> int:
    return body.count(b"[") + body.count(b"{")


def _keys_in(document: object) -> int:
    count, left = 0, [document]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            count += len(value)
            left += value.values()
        elif isinstance(value, list):
            left += value
    return count


def _deeper_than(document: object, limit: int) -> bool:
    level = [document] if isinstance(document, (dict, list)) else []
    for _ in range(limit):
        inside = chain.from_iterable(value.values() if isinstance(value, dict) else value for value in level)
        level = [child for child in inside if isinstance(child, (dict, list))]
    return bool(level)
