"""Objects that are kept at a provider: requests whose path names one, and what an answer says about one."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar, Final

from detectors.errors import EdgeError
from detectors.frozen import statically_frozen
from detectors.types import Origin
from proxy.bodies.json_document import NumberToken, dump
from proxy.bodies.pointer import escape
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject, Reference, Target
from proxy.edge import read_json
from proxy.providers._openai_query import ITEM_ID
from proxy.providers._openai_shapes import is_fact
from proxy.responses import JSON

# Who speaks a dialect names files and batches its own way (`file-`, `file_`, a UUID), so only their letters are known.
_ANY_ID: Final = r"[A-Za-z0-9_-]{1,128}"
_IDS: Final = {
    "response_id": r"resp_[A-Za-z0-9_-]{1,250}",
    "conversation_id": r"conv_[A-Za-z0-9_-]{1,250}",
    "item_id": ITEM_ID,
    "file_id": _ANY_ID,
    "upload_id": _ANY_ID,
    "batch_id": _ANY_ID,
}
# An item is looked up inside its conversation, so it is no reference of its own.
_KINDS: Final = {name: name.removesuffix("_id") for name in _IDS if name != "item_id"}
AFTER: Final = "after"


@statically_frozen
@dataclass(frozen=True, slots=True)
class Route:
    """One request line: `path` is a template, `/v1/responses/{response_id}`; `query` names what may follow it.

    Without `reads` the request has no body.
    """

    method: str
    path: str
    query: tuple[str, ...] = ()
    reads: bool = False

    def ids(self, method: str, path: str) -> dict[str, str] | None:
        """Return the ids in a path by name, None if the request is another one."""
        match = _pattern(self.path).fullmatch(path) if method == self.method else None
        return None if match is None else match.groupdict()

    def names(self) -> tuple[str, ...]:
        """Return the names of all ids that such a request may hold outside its body."""
        return (*_pattern(self.path).groupindex, *(name for name in self.query if name == AFTER))


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", lambda name: f"(?P<{name[1]}>{_IDS[name[1]]})", template))


class BareIds(dict[str, Any]):
    """The document of a request without a body: the ids that its target holds."""


class StoredRoutes:
    """What codecs of several routes have in common, in front of their dialect. `named` are the ids in their documents.

    They stand there so that they are scanned like everything that travels (`walk_named`), and are sent as the target
    says them. No body may hold a field of their names.
    """

    needs_model = False
    routes_by_model = False
    routes: ClassVar[tuple[Route, ...]] = ()

    @cached_property
    def named(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for route in self.routes for name in route.names()))

    def claims(self, method: str, path: str) -> bool:
        return any(route.ids(method, path) is not None for route in self.routes)

    def route(self, target: Target) -> str:
        return self.asked(target)[0].path

    def asked(self, target: Target) -> tuple[Route, dict[str, str]]:
        """Return the route of a request that this codec claims, and the ids in it."""
        found = ((route, route.ids(target.method, target.path)) for route in self.routes)
        return next((route, ids) for route, ids in found if ids is not None)

    def read_body(self, target: Target, raw: bytes, content_type: str) -> JsonObject:
        route, ids = self.asked(target)
        if not route.reads:
            if raw:
                raise EdgeError(400, "invalid_body", "A request to this path has no body.")
            return BareIds(ids)
        document = self.read_sent(target, raw, content_type)
        for name in self.named:
            if name in document:
                raise EdgeError(400, "unknown_parameter", "This id stands in the path.", name)
        document.update(ids)
        return document

    def read_sent(self, target: Target, raw: bytes, content_type: str) -> JsonObject:
        """Return the document of a body, to be added to. Raises EdgeError 400, 415."""
        return read_json(raw)

    def write_body(self, document: JsonObject) -> tuple[bytes, str] | None:
        return None if isinstance(document, BareIds) else (dump(without_named(document, self.named)), JSON)

    def references(self, target: Target, body: JsonObject) -> tuple[Reference, ...]:
        ids = self.asked(target)[1]
        return tuple(Reference(_KINDS[name], ids[name], f"/{name}") for name in ids if name in _KINDS)

    def streaming(self, target: Target, body: JsonObject) -> bool:
        return False


def without_named(document: JsonObject, named: Collection[str]) -> JsonObject:
    """Return a document of the same kind without the ids that stand in the target."""
    rest = type(document)(document)
    for name in named:
        rest.pop(name, None)
    return rest


def walk_named(walk: Walk, document: JsonObject, named: Collection[str]) -> None:
    """Take in those ids; their names are not read, because only `read_body` puts them there.

    They are read also as what cannot become another text, so that a mask on one stops the request.
    """
    for name in named:
        if name in document:
            walk.skip("vocabulary")
            walk.visit(document[name], Origin.METADATA, f"/{name}")
            if isinstance(document[name], str) and document[name]:
                walk.visit(NumberToken(document[name]), Origin.METADATA, f"/{name}")


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
