"""A JSON value that fits a JSON Schema, for the tool calls of the demo upstream."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any]

# Schemas come from clients: what refers to itself, or asks for a billion items, comes to an end here.
DEEPEST = 24
OPTIONAL_DEPTH = 4  # below it optional properties are left out
MOST_VALUES = 2000
LONGEST = 1000  # characters of a string, items of an array
LARGEST = 1e15  # what JSON readers keep exactly
SMALLEST_STEP = 1e-6
FORMATS = {
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "demo@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
ANYTHING: Schema = {"type": "string"}


def example_of(schema: object, filling: str) -> object:
    """Return a value that `schema` accepts; free strings are `filling`. A malformed schema gets some value too.

    Honours what tool schemas use: types, properties, items, enum, const, default, the `of` combinations, local
    references, formats, lengths and bounds. `pattern` and `not` are beyond it.
    """
    return _Example(schema, filling).value(schema, 0)


class _Example:
    """One value in the making."""

    def __init__(self, root: object, filling: str) -> None:
        self._root, self._filling = root, filling
        self._values_left = MOST_VALUES

    def value(self, schema: object, depth: int) -> object:
        self._values_left -= 1
        if depth > DEEPEST or self._values_left < 0:
            return None
        plain = self._flattened(_mapping(schema))
        for fixed in ("const", "default"):
            if fixed in plain:
                return plain[fixed]
        if options := _sequence(plain.get("enum")):
            return options[0]
        return self._typed(plain, depth)

    def _typed(self, schema: Schema, depth: int) -> object:
        kind = _type(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, depth)
        if kind in ("integer", "number"):
            return _number(schema, whole=kind == "integer")
        return {"boolean": True, "null": None}.get(kind, self._string(schema))

    def _object(self, schema: Schema, depth: int) -> dict[str, object]:
        properties, required = _mapping(schema.get("properties")), _names(schema.get("required"))
        names = required if depth >= OPTIONAL_DEPTH else list(dict.fromkeys([*properties, *required]))
        return {name: self.value(properties.get(name, ANYTHING), depth + 1) for name in names}

    def _array(self, schema: Schema, depth: int) -> list[object]:
        fewest = int(_bound(schema, "minItems", 0 if depth >= OPTIONAL_DEPTH else 1))
        most = int(_bound(schema, "maxItems", LONGEST))
        schemas = _sequence(schema.get("prefixItems"))
        schemas += [schema.get("items", ANYTHING)] * (min(fewest, LONGEST) - len(schemas))
        return [self.value(item, depth + 1) for item in schemas[:most]]

    def _string(self, schema: Schema) -> str:
        made = FORMATS.get(str(schema.get("format")))
        if made is not None:
            return made
        shortest = int(min(_bound(schema, "minLength", 0), LONGEST))
        return self._filling.ljust(shortest, ".")[: int(_bound(schema, "maxLength", LONGEST))]

    def _flattened(self, schema: Schema) -> Schema:
        """Replace references and combinations by what they stand for; of a choice, its first member."""
        for _ in range(DEEPEST):
            rest = {name: part for name, part in schema.items() if name not in ("$ref", "anyOf", "oneOf", "allOf")}
            if "$ref" in schema:
                schema = rest | self._resolve(str(schema["$ref"]))
            elif choices := _sequence(schema.get("anyOf")) or _sequence(schema.get("oneOf")):
                schema = rest | dict(_mapping(choices[0]))
            elif parts := _sequence(schema.get("allOf")):
                schema = self._merged([rest, *parts])
            else:
                break
        return schema

    def _resolve(self, reference: str) -> dict[str, Any]:
        """Follow `#/$defs/Name`; what is elsewhere or not there may be anything."""
        found: object = self._root
        for step in reference.split("/")[1:]:
            found = _mapping(found).get(step)
        return dict(_mapping(found))

    def _merged(self, parts: list[Any]) -> Schema:
        """Lay schemas over one another; properties and required names add up."""
        merged: dict[str, Any] = {}
        for part in parts:
            plain = dict(_mapping(part))
            if "$ref" in plain:
                plain |= self._resolve(str(plain.pop("$ref")))
            properties = {**_mapping(merged.get("properties")), **_mapping(plain.get("properties"))}
            required = _names(merged.get("required")) + _names(plain.get("required"))
            merged |= plain
            if properties:
                merged |= {"properties": properties, "required": required}
        return merged


def _mapping(value: object) -> Schema:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: object) -> list[Any]:
    return list(value) if isinstance(value, list) else []


def _names(value: object) -> list[str]:
    return [name for name in _sequence(value) if isinstance(name, str)]


def _type(schema: Schema) -> str:
    """Return the type to make, guessed where the schema leaves it out."""
    declared = schema.get("type")
    if isinstance(declared, list):
        declared = next((name for name in declared if name != "null"), "null")
    if declared is None:
        declared = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(declared)


def _bound(schema: Schema, name: str, otherwise: float) -> float:
    """Return a bound of the schema, or `otherwise` where it has none that is a number."""
    bound = schema.get(name)
    return bound if isinstance(bound, int | float) and not isinstance(bound, bool) else otherwise


def _number(schema: Schema, *, whole: bool) -> float:
    """Return 1, or the number nearest to it that the bounds and `multipleOf` allow."""
    step = max(_bound(schema, "multipleOf", 1), SMALLEST_STEP)
    lowest = max(_bound(schema, "minimum", -LARGEST), _bound(schema, "exclusiveMinimum", -LARGEST) + step)
    highest = min(_bound(schema, "maximum", LARGEST), _bound(schema, "exclusiveMaximum", LARGEST) - step)
    near = max(-LARGEST, min(max(1, lowest), highest, LARGEST))
    number = math.ceil(near / step) * step
    if number > highest:
        number = number - step if number - step >= lowest else near
    return int(number) if whole else number
