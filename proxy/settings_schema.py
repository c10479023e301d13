"""The JSON Schema of `promptshield.yaml`, for editors: what every key takes, each type of sink with its own."""

from __future__ import annotations

from typing import Any, Final

from proxy.settings import Settings
from storage.sink import load_sink, sink_types

JsonObject = dict[str, Any]
# What `proxy.settings` replaces from the environment may stand in the place of any value.
_REFERENCE: Final = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:[^}]*)?\}|^os\.environ/[A-Za-z_]"}
_PLAIN: Final = frozenset({"integer", "number", "boolean"})
_NAMED: Final = frozenset(
    {"properties", "patternProperties"}
)  # under these stand names, which are no words of the schema
_VALUES: Final = frozenset({"default", "const", "required"})  # and under these values


def settings_schema() -> JsonObject:
    """Return the schema. Loads every type of sink, with the libraries that they need."""
    schema = Settings.model_json_schema()
    named = schema.pop("$defs")
    kinds = []
    for kind in sink_types():
        own = load_sink(kind).settings.model_json_schema()
        named |= own.pop("$defs", {})
        own["properties"]["type"] = {"enum": [kind]}
        kinds.append(own)
    schema["properties"]["sinks"]["items"] = {"anyOf": kinds}
    found: JsonObject = _with_references(schema)
    return found | {"$defs": _each(named)}


def _with_references(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_references(each) for each in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") in _PLAIN or "enum" in node or "pattern" in node:
        return {"anyOf": [node, _REFERENCE]}
    return {word: value if word in _VALUES else _each(value) if word in _NAMED else _with_references(value)
            for word, value in node.items()}  # fmt: skip


def _each(named: JsonObject) -> JsonObject:
    return {name: _with_references(value) for name, value in named.items()}
