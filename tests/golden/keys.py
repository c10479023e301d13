"""The tables of all keys in docs/policy.md, docs/signatures.md and docs/settings.md, as the schemas have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from detectors.rules import Signature
from policies.schema import policy_schema
from proxy.settings import Settings
from storage.sink import load_sink, sink_types

Node = Mapping[str, Any]
_DOCS: Final = Path(__file__).parents[2] / "docs"
_BEGIN: Final = "<!-- keys: `make golden` writes this table -->\n"
_END: Final = "<!-- end of keys -->\n"
_MIB: Final = 1 << 20
_COUNTED: Final = {"workers": "the cores"}  # defaults that no schema can hold
_MOST: Final = 40  # values that are listed: of longer lists, say of languages, the first few
_KINDS: Final = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}


def pages() -> dict[Path, str]:
    """Return each page with its table as it is now."""
    schemas = {"policy.md": policy_schema(), "signatures.md": Signature.model_json_schema()}
    tables = {name: _table(("key", "takes"), _rows(schema, schema, "")) for name, schema in schemas.items()}
    tables["settings.md"] = _table(("key", "takes", "default"), _settings())
    return {_DOCS / name: _with_table(_DOCS / name, table) for name, table in tables.items()}


def _with_table(page: Path, table: str) -> str:
    before, _, rest = page.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{table}\n{_END}{after}"


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    head = f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|\n"
    return head + "".join(f"| `{path}` | {' | '.join(told)} |\n" for path, *told in rows)


def _settings() -> Iterator[tuple[str, str, str]]:
    """Yield each key of promptshield.yaml; those of sinks by their type."""
    schemas = {"": Settings.model_json_schema()}
    schemas |= {f"sinks[] ({kind})": load_sink(kind).settings.model_json_schema() for kind in sink_types()}
    for path, schema in schemas.items():
        yield from _with_defaults(schema, schema, path)


def _with_defaults(schema: Node, node: Node, path: str) -> Iterator[tuple[str, str, str]]:
    for name, child in node.get("properties", {}).items():
        yield from _setting(schema, child, f"{path}.{name}" if path else name, _default(node, name, child))
    if (named := _named(node)) is not None:
        yield from _setting(schema, named, f"{path}.*", "")


def _setting(schema: Node, given: Node, path: str, default: str) -> Iterator[tuple[str, str, str]]:
    node = _plain(schema, given)
    below = _plain(schema, node.get("items", {}))
    if "properties" in below:
        yield f"{path}[]", _meant(below), ""
        yield from _with_defaults(schema, below, f"{path}[]")
    elif "properties" in node or (node.get("type") == "object" and _named(node) is not None):
        yield path, _meant(node), "" if default.startswith("`{") else default
        yield from _with_defaults(schema, node, path)
    else:
        yield path, _takes(schema, node), default


def _meant(node: Node) -> str:
    return " ".join(node.get("description", "").split()).replace("|", "\\|")


def _default(parent: Node, name: str, node: Node) -> str:
    if "default" not in node:
        return "has to be given" if name in parent.get("required", ()) else _COUNTED.get(name, "")
    value = node["default"]
    if value is None or value in ("", [], {}):
        return "none"
    if isinstance(value, int) and value >= _MIB and value % _MIB == 0:
        return f"`{value // _MIB} MiB`"
    return f"`{orjson.dumps(int(value) if isinstance(value, float) and value.is_integer() else value).decode()}`"


def _rows(schema: Node, node: Node, path: str) -> Iterator[tuple[str, str]]:
    """Yield each key with what it takes: `[]` stands behind a list's key, `*` for names that the author chooses."""
    for name, child in node.get("properties", {}).items():
        yield from _row(schema, child, f"{path}.{name}" if path else name)
    if (named := _named(node)) is not None:
        yield from _row(schema, named, f"{path}.*")


def _row(schema: Node, given: Node, path: str) -> Iterator[tuple[str, str]]:
    node = _plain(schema, given)
    below = _plain(schema, node.get("items", {}))
    if "properties" in below:
        yield f"{path}[]", "list"
        yield from _rows(schema, below, f"{path}[]")
    elif node.get("type") == "object":
        if "properties" not in node and _named(node) is None:
            yield path, "anything"
        yield from _rows(schema, node, path)
    else:
        yield path, _takes(schema, node)


def _named(node: Node) -> Node | None:
    """Return what stands under names that the author chooses."""
    named = node.get("additionalProperties")
    return named if isinstance(named, dict) else next(iter(node.get("patternProperties", {}).values()), None)


def _plain(schema: Node, node: Node) -> Node:
    """Return what a node refers to; of one that may also be null, what else it may be."""
    choices = _choices(node)
    if len(choices) == 1:
        return _plain(schema, {**node, "anyOf": [], **choices[0]})
    if "$ref" in node:
        return _plain(schema, schema["$defs"][node["$ref"].rpartition("/")[2]])
    return node


def _choices(node: Node) -> list[Node]:
    return [choice for choice in node.get("anyOf", ()) if choice.get("type") != "null"]


def _takes(schema: Node, node: Node) -> str:
    if choices := _choices(node):
        said = list(dict.fromkeys(_takes(schema, _plain(schema, choice)) for choice in choices))
        one_or_many = len(said) == 2 and said[1] == f"list: {said[0]}"
        return f"one or a list: {said[0]}" if one_or_many else ", or ".join(said)
    if node.get("type") == "array":
        items = node.get("items") or node.get("prefixItems", [{}])[0]
        return f"list: {_takes(schema, _plain(schema, items))}"
    values = node.get("enum") or ([node["const"]] if "const" in node else [])
    if values:
        return ", ".join(f"`{value}`" for value in values[:_MOST]) + (", ..." if len(values) > _MOST else "")
    return f"{_KINDS.get(node.get('type', ''), 'text')}{_bounds(node)}"


def _bounds(node: Node) -> str:
    if "maxLength" in node:
        return f", up to {node['maxLength']:,} characters"
    low, above, high = (node.get(name) for name in ("minimum", "exclusiveMinimum", "maximum"))
    if low is not None and high is not None:
        return f", {low:,} to {high:,}"
    least = f", at least {low:,}" if low is not None else "" if above is None else f", more than {above:,}"
    return least if high is None else f"{least}, at most {high:,}"
