"""The tables of all keys in docs/policy.md and docs/signatures.md, as the schemas have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from detectors.rules import Signature
from policies.schema import policy_schema

Node = Mapping[str, Any]
_DOCS: Final = Path(__file__).parents[2] / "docs"
_BEGIN: Final = "<!-- keys: `make golden` writes this table -->\n"
_END: Final = "<!-- end of keys -->\n"
_MOST: Final = 40  # values that are listed: of longer lists, say of languages, the first few
_KINDS: Final = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}


def pages() -> dict[Path, str]:
    """Return each page with its table as it is now."""
    schemas = {"policy.md": policy_schema(), "signatures.md": Signature.model_json_schema()}
    return {_DOCS / name: _with_table(_DOCS / name, schema) for name, schema in schemas.items()}


def _with_table(page: Path, schema: Node) -> str:
    before, _, rest = page.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    rows = "".join(f"| `{path}` | {takes} |\n" for path, takes in _rows(schema, schema, ""))
    return f"{before}{_BEGIN}\n| key | takes |\n|---|---|\n{rows}\n{_END}{after}"


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
    low, high = (node.get(name, node.get(f"exclusiveM{name[1:]}")) for name in ("minimum", "maximum"))
    if "maxLength" in node:
        return f", up to {node['maxLength']:,} characters"
    if low is not None and high is not None:
        return f", {low:,} to {high:,}"
    if low is not None:
        return f", at least {low:,}"
    return "" if high is None else f", at most {high:,}"
