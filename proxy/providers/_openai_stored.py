"""What the endpoints for files, uploads and batches have in common: ids in paths, and answers about an object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final

from detectors.types import Origin
from proxy.codec import JsonObject, Reference, Target
from proxy.json_document import dump
from proxy.providers._openai_endpoint import OpenAiEndpoint
from proxy.providers._responses_shapes import VOCABULARY, param_of
from proxy.providers._stored import NamedDocument, Route, named_in, route_of, walk_object
from proxy.responses import JSON
from proxy.walk import Walk

_KINDS: Final = {"file": "file", "upload": "upload", "upload.part": "upload_part", "batch": "batch"}
_FILES: Final = ("output_file_id", "error_file_id")
_WORDS: Final = """
    id object bytes created_at expires_at purpose status deleted upload_id input_file_id output_file_id error_file_id
    endpoint completion_window model in_progress_at finalizing_at completed_at failed_at expired_at cancelling_at
    cancelled_at total completed failed line
"""
_FACTS: Final = frozenset(_WORDS.split())
_FIELDS: Final = (
    "purpose expires_after mime_type bytes md5 part_ids input_file_id endpoint completion_window metadata "
    "output_expires_after expires_after[anchor] expires_after[seconds]"
)


class OpenAiStored(OpenAiEndpoint):
    """An endpoint of several routes. Batches are read as the requests in them are, Responses' among them."""

    vocabulary = VOCABULARY
    needs_model = False
    routes_by_model = False
    origins = dict.fromkeys(_FIELDS.split(), Origin.METADATA) | {"filename": Origin.TOOL}
    routes: ClassVar[tuple[Route, ...]] = ()

    def claims(self, method: str, path: str) -> bool:
        return route_of(self.routes, method, path) is not None

    def route(self, target: Target) -> str:
        found = route_of(self.routes, target.method, target.path)
        return found[0].path if found else target.path

    def read_body(self, target: Target, raw: bytes, content_type: str) -> JsonObject:
        """Return the document with the id of the path in it. A body where none belongs is left behind."""
        found = route_of(self.routes, target.method, target.path)
        if found is None or not found[0].reads:
            return NamedDocument(found[1] if found else "")
        document = self.read_sent(target, raw, content_type)
        return self.with_name(found[1], document) if found[1] else document

    def with_name(self, name: str, document: JsonObject) -> JsonObject:
        """Return a document with the name that stands in the path."""
        return NamedDocument(name, document)

    def read_sent(self, target: Target, raw: bytes, content_type: str) -> JsonObject:
        """Return the document of a body. Raises EdgeError 400, 415."""
        return super().read_body(target, raw, content_type)

    def write_body(self, document: JsonObject) -> tuple[bytes, str] | None:
        body = document.body() if isinstance(document, NamedDocument) else document
        return None if body is None else (dump(body), JSON)

    def streaming(self, target: Target, body: JsonObject) -> bool:
        return False

    def models(self, target: Target, body: JsonObject) -> tuple[str, ...]:
        return ()

    def references(self, target: Target, body: JsonObject) -> tuple[Reference, ...]:
        return named_in(self.routes, target.method, target.path)

    def creations(self, answer: JsonObject) -> tuple[Reference, ...]:
        return tuple(_created(answer))

    def walk_request(self, walk: Walk, body: JsonObject) -> None:
        for key, value in body.items():
            walk.child(key, value, self.origins.get(key, Origin.UNKNOWN), "")

    def walk_answer(self, walk: Walk, body: JsonObject) -> None:
        walk_object(walk, body, "", _FACTS)

    def param(self, pointer: str) -> str:
        return param_of(pointer)


def _created(answer: Any) -> Iterator[Reference]:
    if not isinstance(answer, dict) or answer.get("deleted") is True:
        return
    kind, name = answer.get("object"), answer.get("id")
    if isinstance(kind, str) and kind in _KINDS and isinstance(name, str):
        yield Reference(_KINDS[kind], name)
    if kind == "batch":
        yield from (Reference("file", answer[key]) for key in _FILES if isinstance(answer.get(key), str))
    if kind == "upload":  # a complete one tells of its file
        yield from _created(answer.get("file"))
