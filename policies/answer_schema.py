"""A JSON Schema that answers are held against: the only importer of jsonschema_rs, kept offline and bounded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jsonschema_rs
import orjson

LONGEST_ANSWER: Final = 256 * 1024  # characters that are parsed; a longer answer does not fit
MOST_PARTS: Final = 2000  # of a schema, each counted as often as it is referred to
# What leads elsewhere, or to where nobody can count.
_ELSEWHERE: Final = frozenset({"$dynamicRef", "$recursiveRef", "$id", "$anchor", "$dynamicAnchor", "$recursiveAnchor"})


@dataclass(frozen=True, slots=True)
class AnswerSchema:
    """A compiled schema. Equal to another of the same document."""

    document: str
    _validator: Any

    def fits(self, text: str) -> bool:
        """Tell whether a text is JSON, and nothing else, that fits."""
        if len(text) > LONGEST_ANSWER:
            return False
        try:
            return bool(self._validator.is_valid(orjson.loads(text)))
        except ValueError:  # also what the library finds impossible to judge
            return False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnswerSchema) and other.document == self.document

    def __hash__(self) -> int:
        return hash(self.document)


def compile_schema(document: Mapping[str, Any]) -> AnswerSchema:
    """Compile a schema of any draft. Raises ValueError for what is none, refers elsewhere or to itself, or is large."""
    _measure(document, document, (), 0)
    try:
        validator = jsonschema_rs.validator_for(
            dict(document), pattern_options=jsonschema_rs.RegexOptions(), offline=True
        )
    except ValueError as exc:
        raise ValueError(f"no JSON Schema: {str(exc).splitlines()[0][:200]}") from None
    return AnswerSchema(orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode(), validator)


def _measure(part: object, whole: Mapping[str, Any], within: tuple[str, ...], counted: int) -> int:
    """Return `counted` and the parts of a schema with all that it refers to, none of them bound to come again."""
    counted += 1
    if counted > MOST_PARTS:
        raise ValueError(f"the schema has more than {MOST_PARTS} parts, with what it refers to")
    if isinstance(part, list):
        for item in part:
            counted = _measure(item, whole, within, counted)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key in _ELSEWHERE:
                raise ValueError(f"'{key}' cannot be used here")
            if key == "$ref":
                target = _referred(value, whole)
                if value in within:
                    raise ValueError(f"'{value}' refers to itself")
                counted = _measure(target, whole, (*within, value), counted)
            elif within or key not in {"$defs", "definitions"}:  # counted where they are referred to
                counted = _measure(value, whole, within, counted)
    return counted


def _referred(pointer: object, whole: Mapping[str, Any]) -> object:
    if not isinstance(pointer, str) or not pointer.startswith("#/"):
        raise ValueError("a schema refers to its own parts only, as in '#/$defs/address'")
    found: Any = whole
    for step in _steps(pointer):
        found = found.get(step) if isinstance(found, dict) else None
    if found is None:
        raise ValueError(f"there is no '{pointer}'")
    return found


def _steps(pointer: str) -> Iterator[str]:
    return (step.replace("~1", "/").replace("~0", "~") for step in pointer[2:].split("/"))
