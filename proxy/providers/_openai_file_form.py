"""Forms that bring a file to keep: what of it is requests is read as such, whatever the file is said to be for."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from typing import Any, Final, TypeGuard

from detectors.errors import EdgeError
from detectors.types import Origin
from proxy.bodies.jsonl import MOST_LINES, Lines, has_few_lines, read_documents, read_lines, write_lines
from proxy.bodies.pointer import escape
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject, Reference, Target
from proxy.providers._openai_batch import (
    check_requests,
    hides_request,
    is_request,
    models_in,
    references_in,
    walk_lines,
)
from proxy.providers._openai_form import FormDocument, document_of, items_of, parts_of, walk_file
from proxy.providers._openai_multipart import MULTIPART, read_form, write_form
from proxy.providers._openai_objects import OpenAiObjects

_BATCH: Final = "batch"


class FileForm(OpenAiObjects):
    """An endpoint that takes a file in `field` of a form."""

    field = "file"

    def read_sent(self, target: Target, raw: bytes, content_type: str) -> JsonObject:
        if content_type.partition(";")[0].strip().lower() != MULTIPART:
            raise EdgeError(415, "unsupported_media_type", f"The body must be {MULTIPART}.")
        document = document_of(read_form(raw, content_type))
        if not isinstance(document.get(self.field), dict):
            raise EdgeError(400, "invalid_form", "The form has no file.", self.field)
        for value in document.values():
            for file in value if isinstance(value, list) else [value]:
                if isinstance(file, dict):
                    _read_lines(file, batch=document.get("purpose") == _BATCH)
        return document

    def write_body(self, document: JsonObject) -> tuple[bytes, str] | None:
        if not isinstance(document, FormDocument):
            return super().write_body(document)
        fields = {key: _joined(value) for key, value in document.items() if key not in self.named}
        return write_form(parts_of(FormDocument(fields)))

    def models(self, target: Target, body: JsonObject) -> tuple[str, ...]:
        return tuple(dict.fromkeys(model for _, lines in _files(body) for model in models_in(lines)))

    def references(self, target: Target, body: JsonObject) -> tuple[Reference, ...]:
        inside = (found for pointer, lines in _files(body) for found in references_in(lines, pointer))
        return (*super().references(target, body), *inside)

    def walk_request(self, walk: Walk, body: JsonObject) -> None:
        form = isinstance(body, FormDocument)
        for key, value in body.items():
            walk.child(key, None, Origin.UNKNOWN, "")
            for pointer, item in items_of(value, f"/{escape(key)}"):
                if _is_lined(item):
                    _walk_lined(walk, item, pointer)
                elif form and isinstance(item, dict):
                    walk_file(walk, item, pointer)
                else:
                    walk.visit(item, self.origins.get(key, Origin.UNKNOWN), pointer)


def _read_lines(file: JsonObject, *, batch: bool) -> None:
    """Put documents in the place of a text's lines, in place, where it is one of lines. Raises EdgeError 400.

    That is where its name, its type or its purpose says so, and where any line is a request.
    """
    if "data" in file:
        _check_bytes(b64decode(file["data"]), batch=batch)
        return
    labelled = batch or "lines" in file
    text = file["text"] if "text" in file else "\n".join(file["lines"])
    if not has_few_lines(text):
        if labelled or hides_request(text):
            raise EdgeError(400, "invalid_file", f"A file of documents has fewer than {MOST_LINES} lines.", "file")
        return
    lines = read_lines(text)
    if labelled or any(is_request(line) for line in lines) or read_documents(text) is not None:
        file.pop("text", None)
        file["lines"] = lines
    check_requests(lines, batch=batch)


def _check_bytes(data: bytes, *, batch: bool) -> None:
    """Refuse bytes that are no text but in which somebody more generous could find a request."""
    if batch or hides_request(data.decode(errors="replace")):
        raise EdgeError(400, "invalid_file", "A file of requests must be text in UTF-8.", "file")


def _joined(value: Any) -> Any:
    """Return a field with the lines of its files written out, each as long as it was where it did not grow."""
    if isinstance(value, list):
        return [_joined(item) for item in value]
    if not isinstance(value, dict) or not isinstance(value.get("lines"), Lines):
        return value
    rest = {key: child for key, child in value.items() if key != "lines"}
    return rest | {"text": write_lines(value["lines"], padded=True)}


def _files(body: JsonObject) -> Iterator[tuple[str, list[Any]]]:
    """Yield the lines of every file that has some, each with its place."""
    for key, value in body.items():
        for pointer, item in items_of(value, f"/{escape(key)}"):
            if _is_lined(item):
                yield f"{pointer}/lines", item["lines"]


def _is_lined(item: object) -> TypeGuard[JsonObject]:
    return isinstance(item, dict) and isinstance(item.get("lines"), list) and "data" not in item


def _walk_lined(walk: Walk, file: JsonObject, pointer: str) -> None:
    for key, value in file.items():
        if key == "lines":
            walk.child(key, None, Origin.TOOL, pointer)
            walk_lines(walk, value, f"{pointer}/lines")
        else:
            walk.child(key, value, Origin.TOOL, pointer)
