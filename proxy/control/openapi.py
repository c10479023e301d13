"""OpenAPI 3.1 of the control plane, made of its operations alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import orjson
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from proxy.control.fields import DecisionId, Shown, Slug
from proxy.control.operations import JsonObject, Operation

PATH: Final = "/api/v1/openapi.json"
_REF: Final = "#/components/schemas/{model}"
_PARAMETER: Final = re.compile(r"{([a-z_]+)}")
_NUMBERS: Final = frozenset({"key", "version", "incident", "user", "account", "issuer"})
_ERRORS: Final = {
    "401": "Nobody is signed in, or with what does not hold any more.",
    "403": "Not allowed to this role.",
    "404": "Not there, or not to be known.",
    "409": "Not as things stand.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "422": "A field is wrong; `field` names it.",
    "429": "Too often; `retry-after` says when again.",
    "503": "The database cannot be asked at the moment.",
}


class ErrorProblem(Shown):
    """One problem of a document. Lines and columns count from 1."""

    line: int | None
    column: int | None
    text: str


class ErrorDetail(Shown):
    """`code` is for programs, `message` for people."""

    code: str
    message: str
    field: str | None = None
    problems: list[ErrorProblem] | None = None


class Error(Shown):
    """Every refusal."""

    error: ErrorDetail


class _Names(BaseModel):
    """The parameters of paths that are no numbers."""

    tenant: Slug
    decision: DecisionId
    app: str
    name: str


def openapi(operations: Iterable[Operation]) -> JsonObject:
    """Return the document; the same operations give the same bytes when it is written by `written`."""
    found = sorted(operations, key=lambda operation: (operation.path, operation.method))
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Error, "serialization")]
    for operation in found:
        models += [(operation.answer, "serialization")]
        models += [(operation.body, "validation")] if operation.body is not None else []
    schemas, definitions = models_json_schema(list(dict.fromkeys(models)), ref_template=_REF)
    paths: dict[str, JsonObject] = {}
    for operation in found:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PromptShield control plane",
            "version": "1",
            "description": "Tenants, keys, policies, decisions, usage and incidents. Lists give `items` and `next`.",
        },
        "security": [{"bearer": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-promptshield"},
            },
        },
    }


def written(document: JsonObject) -> bytes:
    """Return the document as the file in docs/ has it."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def _operation(operation: Operation, schemas: Any) -> JsonObject:
    answer = schemas[operation.answer, "serialization"]
    described: JsonObject = {
        "operationId": operation.id,
        "summary": operation.summary,
        "description": _description(operation),
        "tags": [_tag(operation)],
        "parameters": [*_path_parameters(operation.path), *_query_parameters(operation.query)],
        "responses": {
            str(operation.status): {"description": "Done.", "content": {"application/json": {"schema": answer}}},
            **{status: _error(words) for status, words in _ERRORS.items()},
        },
    }
    if operation.body is not None:
        schema = schemas[operation.body, "validation"]
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _description(operation: Operation) -> str:
    whose = " of the platform" if operation.platform else ""
    return f"Needs the permission `{operation.permission}`{whose}."


def _tag(operation: Operation) -> str:
    return operation.permission.partition(":")[0]


def _error(words: str) -> JsonObject:
    return {
        "description": words,
        "content": {"application/json": {"schema": {"$ref": _REF.format(model="Error")}}},
    }


def _path_parameters(path: str) -> list[JsonObject]:
    known = _Names.model_json_schema()["properties"]
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 1}
            if name in _NUMBERS
            else {key: value for key, value in known.get(name, {"type": "string"}).items() if key != "title"},
        }
        for name in _PARAMETER.findall(path)
    ]


def _query_parameters(query: type[BaseModel] | None) -> list[JsonObject]:
    if query is None:
        return []
    schema = query.model_json_schema()
    return [
        {"name": name, "in": "query", "required": name in schema.get("required", []), "schema": _without_null(field)}
        for name, field in schema["properties"].items()
    ]


def _without_null(field: JsonObject) -> JsonObject:
    """A parameter of a query is given or not; it is never null."""
    kinds = [kind for kind in field.get("anyOf", []) if kind != {"type": "null"}]
    plain = {key: value for key, value in field.items() if key not in {"anyOf", "title"} and value is not None}
    return {**plain, **(kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})}
