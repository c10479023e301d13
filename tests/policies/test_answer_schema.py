"""Schemas of answers: what fits, and what is refused before it could reach out or take long."""

from __future__ import annotations

from typing import Any

import pytest

from policies.answer_schema import LONGEST_ANSWER, compile_schema

ADDRESS = {"$defs": {"a": {"type": "string"}}, "type": "object", "properties": {"x": {"$ref": "#/$defs/a"}}}


@pytest.mark.parametrize(
    ("text", "fits"),
    [('{"x": "y"}', True), ('{"x": 1}', False), ("[]", False), ('```json\n{"x": "y"}\n```', False), ("", False)],
)
def test_a_text_fits_if_it_is_json_of_the_form_and_nothing_else(text: str, fits: bool) -> None:
    assert compile_schema(ADDRESS).fits(text) is fits


def test_an_answer_too_long_to_be_parsed_does_not_fit() -> None:
    assert not compile_schema({}).fits('"' + "x" * LONGEST_ANSWER + '"')


def doubling(depth: int) -> dict[str, Any]:
    defs: dict[str, Any] = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(depth)}
    return {"$defs": {**defs, f"d{depth}": {}}, "$ref": "#/$defs/d0"}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"$ref": "http://127.0.0.1/x.json"}, "its own parts only"),
    ({"$ref": "file:///etc/passwd"}, "its own parts only"),
    ({"allOf": [{"$ref": "#"}]}, "its own parts only"),
    ({"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"}, "refers to itself"),
    ({"$ref": "#/$defs/none"}, "there is no"),
    ({"$schema": "http://127.0.0.1/meta.json"}, "no JSON Schema"),
    ({"$dynamicRef": "#x"}, "cannot be used"),
    ({"type": "objct"}, "no JSON Schema"),
    ({"pattern": "(?=a)b"}, "no JSON Schema"),
    (doubling(30), "more than 2000 parts"),
]


@pytest.mark.parametrize(("schema", "problem"), REFUSED)
def test_a_schema_that_reaches_out_or_grows_is_refused(schema: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        compile_schema(schema)


def test_schemas_of_the_same_document_are_equal() -> None:
    assert compile_schema({"type": "object"}) == compile_schema({"type": "object"}) != compile_schema({})
