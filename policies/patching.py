"""Adding to a policy file without touching anything else of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from detectors.documents import parse_document
from detectors.errors import PolicyError


def flow_item(item: Mapping[str, Any]) -> str:
    """Return a mapping on one line, as YAML; values that a word can stand for stand as one."""
    return f"{{{', '.join(f'{key}: {_scalar(value)}' for key, value in item.items())}}}"


def with_item(text: str, file: Path, key: str, item: Mapping[str, Any]) -> str:
    """Return a policy's text with one more item at the end of the list under `key`.

    Raises PolicyError for a text that does not parse, or one to which this cannot add without changing more.
    """
    document = parse_document(text, file, PolicyError)
    entry = None if document.root is None else next(((k, v) for k, v in document.root.value if k.value == key), None)
    line, known = flow_item(item), document.content.get(key)
    unfit = PolicyError(file, document.line((key,)), f"cannot be added to '{key}' as it is written: add {line}")
    if not isinstance(known, list | None):
        raise unfit
    if entry is None:
        added = f"{text.rstrip(chr(10))}\n{key}:\n  - {line}\n".lstrip("\n")
    elif known is None:
        added = _below(text, entry[0], line)
    elif entry[1].flow_style:
        added = _in_brackets(text, entry[1], line)
    else:
        added = _in_block(text, entry[1], line)
    expected = {**document.content, key: [*(known or ()), dict(item)]}
    if _parsed(added, file) != expected:
        raise unfit
    return added


def _parsed(text: str, file: Path) -> Mapping[str, Any] | None:
    try:
        return parse_document(text, file, PolicyError).content
    except PolicyError:
        return None


def _below(text: str, node: Any, line: str) -> str:
    """Under a key that has nothing yet."""
    newline = text.find("\n", node.end_mark.index)
    head = text if newline < 0 else text[:newline]
    return f"{head}\n{' ' * node.start_mark.column}  - {line}{'' if newline < 0 else text[newline:]}"


def _in_brackets(text: str, node: Any, line: str) -> str:
    at = text.rindex("]", node.start_mark.index, node.end_mark.index)
    before = text[:at].rstrip()
    joint = "" if not node.value else " " if before.endswith(",") else ", "
    return f"{before}{joint}{line}{text[at:]}"


def _in_block(text: str, node: Any, line: str) -> str:
    # The end of a block is the beginning of what follows: before it may stand blank lines, and comments on that.
    newline = text.find("\n", node.value[-1].end_mark.index - 1)
    before = (text if newline < 0 else text[: newline + 1]).splitlines(keepends=True)
    first = node.value[-1].start_mark.line
    while len(before) > first + 1 and (not before[-1].strip() or before[-1].lstrip().startswith("#")):
        before.pop()
    head = "".join(before)
    joint = "" if head.endswith("\n") else "\n"
    return f"{head}{joint}{' ' * node.start_mark.column}- {line}\n{text[len(head) :]}"


def _scalar(value: Any) -> str:
    plain = isinstance(value, str) and value.replace("-", "").replace("_", "").isalnum() and value[:1].isalpha()
    if plain and value not in {"true", "false", "null"}:
        return str(value)
    return orjson.dumps(value).decode()
