"""JSON in and out: the one reading that is scanned is the one that is sent, down to the last digit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import orjson

from detectors.matcher import Matcher, Pattern

MAX_DEPTH: Final = 64

# Numbers that a 64-bit float or integer cannot hold exactly. They are looked for after JSON's own punctuation, so that
# digits inside a text rarely cost the slow path (and never anything but time).
_EXACT_NUMBERS: Final = Matcher(
    [Pattern(r"[\[,:\s]-?(?:[0-9]\.?){16}"), Pattern(r"[\[,:\s]-?[0-9][0-9.]{0,15}[eE]"), Pattern(r"^[-0-9]")]
)


class JsonError(ValueError):
    """The bytes are not one JSON document. `str()` says why, without quoting them."""


@dataclass(frozen=True, slots=True)
class NumberToken:
    """A number kept as it was written, because a float would change it."""

    text: str


def parse(raw: bytes) -> Any:
    """Return the document. Duplicate keys: the last one is the reading. Raises JsonError, also beyond 64 levels."""
    body = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise JsonError(f"{exc.msg} at line {exc.lineno}, column {exc.colno}") from None
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _deeper_than(document, MAX_DEPTH):
        raise JsonError(f"nested deeper than {MAX_DEPTH} levels")
    if _EXACT_NUMBERS.matching(body.decode()):
        return _parse_exactly(body)
    return document


def dump(document: object) -> bytes:
    """Return the serialisation that goes out. Raises TypeError for what no parser of ours makes."""
    return orjson.dumps(document, default=_fragment)


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


def _integer(token: str) -> int | NumberToken:
    return int(token) if len(token) <= 18 else NumberToken(token)


def _refuse_constant(name: str) -> NoReturn:
    raise JsonError(f"{name} is not JSON")


def _fragment(value: object) -> orjson.Fragment:
    if isinstance(value, NumberToken):
        return orjson.Fragment(value.text)
    raise TypeError(type(value).__name__)


def _deeper_than(document: object, limit: int) -> bool:
    stack = [(document, 1)]
    while stack:
        value, depth = stack.pop()
        if isinstance(value, dict | list):
            if depth > limit:
                return True
            children = value.values() if isinstance(value, dict) else value
            stack.extend((child, depth + 1) for child in children)
    return False
