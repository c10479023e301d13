"""Objects that are kept at a provider: requests whose path names one, and what an answer says about one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from detectors.types import Origin
from proxy.codec import JsonObject, Reference
from proxy.pointer import escape
from proxy.providers._openai_shapes import is_fact
from proxy.walk import Walk

_ID: Final = "{id}"


@dataclass(frozen=True)
class Route:
    """A method and a path; `kind` is what the id in it names. Without `reads` the request has no body."""

    method: str
    path: str
    kind: str = ""
    reads: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.escape(self.path).replace(re.escape(_ID), "([A-Za-z0-9_-]{1,128})"))

    def name_in(self, method: str, path: str) -> str | None:
        """Return the id in a path, "" for a path without one, None where the request is another."""
        match = self.pattern.fullmatch(path) if method == self.method else None
        return None if match is None else "".join(match.groups())


class NamedDocument(dict[str, Any]):
    """The document of a request whose path names an object: its body, if it has one, behind the name.

    The name stands as a key, so that it is read like everything that goes upstream, and so that a mask on it, which
    nobody could carry out, stops the exchange.
    """

    def __init__(self, name: str, body: JsonObject | None = None) -> None:
        super().__init__({name: None} | (body or {}))
        self._name, self._bodiless = name, body is None

    def body(self) -> JsonObject | None:
        """Return what goes upstream as the body."""
        return None if self._bodiless else {key: value for key, value in self.items() if key != self._name}


def route_of(routes: Iterable[Route], method: str, path: str) -> tuple[Route, str] | None:
    """Return which of the routes a request takes, and the id in its path."""
    named = ((route, route.name_in(method, path)) for route in routes)
    return next(((route, name) for route, name in named if name is not None), None)


def named_in(routes: Iterable[Route], method: str, path: str) -> tuple[Reference, ...]:
    """Return the object that a path names, which must be its tenant's."""
    found = route_of(routes, method, path)
    return (Reference(found[0].kind, found[1]),) if found and found[1] else ()


def walk_object(walk: Walk, value: object, pointer: str, facts: frozenset[str]) -> None:
    """Take in what an answer says about an object: identifiers, times and counts under `facts` are no text."""
    if isinstance(value, dict):
        for key, child in value.items():
            if key in facts and is_fact(child):
                walk.skip("answer_facts", 2)
            else:
                walk.child(key, None, Origin.ASSISTANT, pointer)
                walk_object(walk, child, f"{pointer}/{escape(key)}", facts)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            walk_object(walk, child, f"{pointer}/{index}", facts)
    else:
        walk.visit(value, Origin.ASSISTANT, pointer)
