"""What is wrong with a value, in the words of whoever wrote it: those of the library are for programmers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError

OTHER_FORM: Final = "expected a text of the form"
NEEDED: Final = "this is needed"
_SMALL: Final = re.compile(r"\[a-z(?:0-9)?\]\[a-z0-9-\]\{\d+,(\d+)\}")  # as ids and names are written
_TIME: Final = "expected a time with its zone, as 2027-01-31T12:00:00Z"
_WORDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("tuple_type", "list_type", "set_type", "frozen_set_type"), "expected a list"),
    **dict.fromkeys(
        ("dict_type", "mapping_type", "model_type", "model_attributes_type"), "expected a mapping of keys to values"
    ),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "expected a whole number"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "expected a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "expected true or false"),
    **dict.fromkeys(
        ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"),
        "expected a day, as 2027-01-31",
    ),
    **dict.fromkeys(
        ("datetime_type", "datetime_parsing", "datetime_from_date_parsing", "datetime_object_invalid"), _TIME
    ),
    "timezone_aware": _TIME,
    "int_parsing_size": "this number is too large",
    "string_type": "expected a text",
    "string_unicode": "expected a text in Unicode",
    "path_type": "expected a path",
    "ip_any_network": "expected a network such as 10.0.0.0/8 or 2001:db8::/32, without bits of a host",
    "missing": NEEDED,
    "extra_forbidden": "nothing is called so here",
}
_BOUNDS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "greater_than": lambda known: f"expected more than {known['gt']:g}",
    "greater_than_equal": lambda known: f"expected {known['ge']:g} or more",
    "less_than": lambda known: f"expected less than {known['lt']:g}",
    "less_than_equal": lambda known: f"expected {known['le']:g} or less",
    "too_short": lambda known: f"expected at least {_counted(known['min_length'], 'item')}",
    "too_long": lambda known: f"expected at most {_counted(known['max_length'], 'item')}",
    "string_too_short": lambda known: f"expected at least {_counted(known['min_length'], 'character')}",
    "string_too_long": lambda known: f"expected at most {_counted(known['max_length'], 'character')}",
    "string_pattern_mismatch": lambda known: _form(known["pattern"]),
    "literal_error": lambda known: f"expected {known['expected']}",
    "enum": lambda known: f"expected {known['expected']}",
}
KNOWN: Final = frozenset(_WORDS) | frozenset(_BOUNDS) | {"value_error"}


def in_plain_words(item: Mapping[str, Any]) -> str:
    """Return what one of the library's errors says, never the value itself. `item` has its `ctx`."""
    kind, known = item["type"], item.get("ctx", {})
    if kind in _BOUNDS:
        return _BOUNDS[kind](known)
    return _WORDS.get(kind) or str(item["msg"]).removeprefix("Value error, ")


def taken_for_numbers(model: type[BaseModel], content: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the errors that there are where the library takes `true` for 1, by spelling out what is true or false."""
    try:
        if (spelt := _spelt_out(content)) != content:
            model.model_validate(spelt)
    except ValidationError as exc:
        items = [dict(item) for item in exc.errors(include_input=False)]
        return [item for item in items if item["type"] in {"int_parsing", "float_parsing"}]
    return []


def _spelt_out(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _spelt_out(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_spelt_out(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else value


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _form(pattern: str) -> str:
    bare = pattern.removeprefix("^").removesuffix("$")
    small = _SMALL.fullmatch(bare)
    said = f" (small letters, digits and hyphens, at most {int(small[1]) + 1})" if small else ""
    return f"{OTHER_FORM} {bare}{said}"
