"""Carrying out edits on a document, by JSON Pointer (RFC 6901)."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final

from detectors.types import Span
from policies.types import Edit, Pseudonym
from proxy.bodies.json_document import is_json

_LITERAL: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


class UneditableError(ValueError):
    """An edit that cannot be carried out without breaking what surrounds it; the exchange must stop instead."""


def escape(key: str) -> str:
    """Return a key as one step of a pointer."""
    return key.replace("~", "~0").replace("/", "~1") if "~" in key or "/" in key else key


def unescape(step: str) -> str:
    """Return one step of a pointer as the key it names."""
    return step.replace("~1", "/").replace("~0", "~")


def shown(pointer: str, vocabulary: frozenset[str]) -> str:
    """Return a pointer that may be told and kept: `*` stands for a key that is no word of the dialect."""
    steps = pointer.split("/")[1:]
    return "".join(f"/{step}" if step in vocabulary or _is_index(step) else "/*" for step in steps)


def param(pointer: str, vocabulary: frozenset[str]) -> str:
    """Return what `shown` tells as errors name a place: `/messages/3/content` is `messages[3].content`."""
    steps = shown(pointer, vocabulary).split("/")[1:]
    return "".join(f"[{step}]" if step.isdecimal() else f".{step}" for step in steps).removeprefix(".")


def resolve(document: Any, pointer: str) -> Any:
    """Return the value at `pointer`. Raises UneditableError."""
    value = document
    for step in _steps(pointer):
        value = _child(value, step)
    return value


def resolve_parent(document: Any, pointer: str) -> tuple[Any, int | str]:
    """Return the object or list that holds the value at `pointer`, and under what. Raises UneditableError."""
    *steps, last = _steps(pointer) or [""]
    parent = document
    for step in steps:
        parent = _child(parent, step)
    _child(parent, last)
    return (parent, int(last)) if isinstance(parent, list) else (parent, last)


def apply_edits(document: Any, edits: Sequence[Edit]) -> None:
    """Change `document` in place. Raises UneditableError before anything was changed at that pointer."""
    for pointer, group in groupby(sorted(edits, key=lambda e: e.pointer), key=lambda e: e.pointer):
        steps = _steps(pointer)
        if not steps:
            raise UneditableError("the document itself is no text")
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
    ordered = sorted(edits, key=lambda edit: edit.span)
    plain = _replace(text, ordered)
    if not is_json(text) or is_json(plain):
        return plain
    # A bare number was replaced: inside JSON its replacement must be a string.
    literals = [Span(*match.span()) for match in _LITERAL.finditer(text)]
    quoted = _replace(text, [_quoted(edit, literals) for edit in ordered])
    if is_json(quoted):
        return quoted
    raise UneditableError("replacement would break the JSON inside the text")


def _replace(text: str, ordered: Iterable[Edit]) -> str:
    kept, position = [], 0
    for edit in ordered:
        if isinstance(edit.replacement, Pseudonym):
            raise UneditableError("pseudonyms are not resolved here")
        kept += [text[position : edit.span.start], edit.replacement]
        position = edit.span.end
    return "".join([*kept, text[position:]])


def _quoted(edit: Edit, literals: Sequence[Span]) -> Edit:
    """Return an edit that lies outside every string as one that writes a string."""
    before = bisect_left(literals, Span(edit.span.end, 0))
    inside = before > 0 and edit.span.overlaps(literals[before - 1])
    return edit if inside else Edit(edit.pointer, edit.span, f'"{edit.replacement}"')


def _is_index(step: str) -> bool:
    return len(step) < 7 and step.isdecimal()  # seven digits and more may be somebody's number


def _steps(pointer: str) -> list[str]:
    return [unescape(step) for step in pointer.split("/")[1:]]


def _child(value: Any, step: str) -> Any:
    try:
        return value[int(step)] if isinstance(value, list) else value[step]
    except (KeyError, IndexError, ValueError, TypeError) as exc:
        raise UneditableError(step) from exc
