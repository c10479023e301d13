from __future__ import annotations

from time import thread_time
from typing import Any

import orjson
import pytest

from proxy.demo.schema import example_of


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "filling"),
        ({"type": "string", "maxLength": 4}, "fill"),
        ({"type": "string", "minLength": 9}, "filling.."),
        ({"type": "string", "format": "email"}, "demo@example.com"),
        ({"enum": ["red", "blue"]}, "red"),
        ({"const": 7}, 7),
        ({"type": "integer", "default": 12}, 12),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "integer", "minimum": 7, "multipleOf": 5}, 10),
        ({"type": "number", "minimum": 0, "maximum": 0.5}, 0),
        ({"type": "number", "minimum": 0.2, "maximum": 0.5}, 0.5),
        ({"type": "boolean"}, True),
        ({"type": ["null", "boolean"]}, True),
        ({"type": "null"}, None),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"type": "array", "maxItems": 0}, []),
        ({"type": "array", "prefixItems": [{"type": "null"}, {"type": "boolean"}]}, [None, True]),
        ({"properties": {"a": {"type": "integer"}}, "required": ["b"]}, {"a": 1, "b": "filling"}),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}], "minimum": 4}, 4),
        ({"oneOf": [{"$ref": "#/$defs/N"}], "$defs": {"N": {"type": "integer"}}}, 1),
        (
            {
                "allOf": [{"$ref": "#/$defs/A"}, {"properties": {"b": {"type": "null"}}}],
                "$defs": {"A": {"type": "object", "properties": {"a": {"const": 1}}}},
            },
            {"a": 1, "b": None},
        ),
    ],
)
def test_the_example_fits_its_schema(schema: dict[str, Any], value: object) -> None:
    assert example_of(schema, "filling") == value


def test_a_schema_that_contains_itself_comes_to_an_end() -> None:
    node = {"$ref": "#/$defs/node"}
    wide = {f"child{n}": node for n in range(10)}
    schema = {"$defs": {"node": {"type": "object", "properties": wide, "required": [*wide]}}, **node}
    began = thread_time()

    assert isinstance(example_of(schema, "x"), dict)
    assert thread_time() - began < 1.0


@pytest.mark.parametrize(
    "schema",
    [
        None, 3, "string", [], {}, {"type": 7}, {"type": []}, {"type": "object", "properties": 3, "required": "a"},
        {"type": "array", "minItems": 10**12}, {"type": "array", "minItems": "two", "items": 3}, {"$ref": "#/nowhere"},
        {"$ref": "#"}, {"anyOf": "all"}, {"allOf": [3, None]}, {"enum": {}}, {"type": "string", "minLength": 10**15},
        {"type": "integer", "minimum": 10**18, "multipleOf": 0}, {"type": "number", "multipleOf": 1e-300},
        {"type": "integer", "minimum": -(10**18), "maximum": -(10**18)}, {"type": "string", "maxLength": -1},
    ],
)  # fmt: skip
def test_a_strange_schema_still_gives_something_that_json_can_carry(schema: object) -> None:
    assert len(orjson.dumps(example_of(schema, "x"))) < 20_000
