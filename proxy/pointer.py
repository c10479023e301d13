"""Carrying out edits on a document, by JSON Pointer (RFC 6901)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from policies.types import Edit, Pseudonym
from proxy.json_document import is_json


class UneditableError(ValueError):
    """An edit that cannot be carried out without breaking what surrounds it; the exchange must stop instead."""


def escape(key: str) -> str:
    """Return a key as one step of a pointer."""
    return key.replace("~", "~0").replace("/", "~1") if "~" in key or "/" in key else key


def resolve(document: Any, pointer: str) -> Any:
    """Return the value at `pointer`. Raises UneditableError."""
    value = document
    for step in _steps(pointer):
        value = _child(value, step)
    return value


def apply_edits(document: Any, edits: Sequence[Edit]) -> None:
    """Change `document` in place. Raises UneditableError before anything was changed at that pointer."""
    for pointer, group in groupby(sorted(edits, key=lambda e: e.pointer), key=lambda e: e.pointer):
        steps = _steps(pointer)
        parent = document
        for step in steps[:-1]:
            parent = _child(parent, step)
        text = _child(parent, steps[-1])
        if not isinstance(text, str):
            raise UneditableError(pointer)
        edited = edit_text(text, list(group))
        if isinstance(parent, list):
            parent[int(steps[-1])] = edited
        else:
            parent[steps[-1]] = edited


def edit_text(text: str, edits: Iterable[Edit]) -> str:
    """Return `text` with every span replaced; a text that is JSON stays JSON. Raises UneditableError."""
    ordered = sorted(edits, key=lambda edit: edit.span, reverse=True)
    plain = _replace(text, ordered, quote=False)
    if not is_json(text) or is_json(plain):
        return plain
    # A bare number was replaced: inside JSON its replacement must be a string.
    quoted = _replace(text, ordered, quote=True)
    if is_json(quoted):
        return quoted
    raise UneditableError("replacement would break the JSON inside the text")


def _replace(text: str, ordered: Iterable[Edit], *, quote: bool) -> str:
    # Spans are cut from the end backwards: the earlier ones keep their offsets.
    for edit in ordered:
        if isinstance(edit.replacement, Pseudonym):
            raise UneditableError("pseudonyms are not resolved here")
        span = edit.span
        outside_a_string = quote and text[span.start - 1 : span.start] in {"", " ", ":", ",", "[", "\n", "\t"}
        replacement = f'"{edit.replacement}"' if outside_a_string else edit.replacement
        text = text[: span.start] + replacement + text[span.end :]
    return text


def _steps(pointer: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _child(value: Any, step: str) -> Any:
    try:
        return value[int(step)] if isinstance(value, list) else value[step]
    except (KeyError, IndexError, ValueError, TypeError) as exc:
        raise UneditableError(step) from exc
