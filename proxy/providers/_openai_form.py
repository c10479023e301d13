"""A form as a document: what was read of it is what is scanned, and what was scanned is what is written."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from typing import Any, Final

from detectors.errors import EdgeError
from detectors.types import Origin, Unscanned
from proxy.bodies.json_document import dump
from proxy.bodies.plain_text import charset_of
from proxy.bodies.pointer import escape
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject, Target
from proxy.edge import read_json
from proxy.providers._openai_endpoint import OpenAiEndpoint
from proxy.providers._openai_media import walk_media
from proxy.providers._openai_multipart import MULTIPART, Part, read_form, write_form
from proxy.providers._openai_request import walk_models
from proxy.responses import JSON

_TEXT_TYPES: Final = ("text/", "application/json", "application/jsonl", "application/x-ndjson", "application/csv",
                      "application/xml", "application/yaml", "image/svg")  # fmt: skip
_TEXT_NAMES: Final = (".txt", ".md", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".html", ".svg", ".xml", ".yaml",
                      ".srt", ".vtt")  # fmt: skip
_LINES: Final = (".jsonl", ".ndjson")
_ASKED: Final = "prompt"


class FormDocument(dict[str, Any]):
    """A document that came as a form and goes on as one.

    A field is a string. A file is an object of `filename`, `content_type` and either its `text` (`lines` where each
    line is a document), with a `charset` unless that is UTF-8, or its bytes as base64 in `data`. A name in brackets
    (`image[]`) may come more than once and holds a list.
    """


class OpenAiForm(OpenAiEndpoint):
    """An endpoint that takes a form, or the same as JSON."""

    def read_body(self, target: Target, raw: bytes, content_type: str) -> JsonObject:
        kind = content_type.partition(";")[0].strip().lower()
        if kind == MULTIPART:
            return document_of(read_form(raw, content_type))
        if kind not in {"", JSON}:
            raise EdgeError(415, "unsupported_media_type", f"The body must be {MULTIPART} or {JSON}.")
        return read_json(raw)

    def write_body(self, document: JsonObject) -> tuple[bytes, str] | None:
        if isinstance(document, FormDocument):
            return write_form(parts_of(document))
        return dump(document), JSON

    def streaming(self, target: Target, body: JsonObject) -> bool:
        return str(body.get("stream")).lower() in {"true", "1"}

    def walk_request(self, walk: Walk, body: JsonObject) -> None:
        walk_form(walk, body, self.origins)


def document_of(parts: list[Part]) -> FormDocument:
    """Return the document. Raises EdgeError 400 for a name that comes twice, and for text that is not UTF-8."""
    document = FormDocument()
    for part in parts:
        value = _field(part) if part.filename is None else _file(part, part.filename)
        if part.name.endswith("[]"):
            document.setdefault(part.name, []).append(value)
        elif part.name in document or part.name == "_charset_":
            raise EdgeError(400, "invalid_form", "The form has a field that cannot be given twice, or a charset.")
        else:
            document[part.name] = value
    return document


def parts_of(document: FormDocument) -> Iterator[Part]:
    """Yield the parts that `document_of` makes the same document of."""
    for name, value in document.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str):
                yield Part(name, item.encode())
            else:
                yield Part(name, _bytes_of(item), item["filename"], item["content_type"])


def walk_form(walk: Walk, body: JsonObject, origins: Mapping[str, Origin]) -> None:
    """Take in a form, or JSON in its place. What a file says is a document's text; its bytes, if none, are media."""
    form = isinstance(body, FormDocument)
    for key, value in body.items():
        start = len(walk.segments)
        if key in {"model", "models"}:
            walk_models(walk, key, value)
            continue
        walk.child(key, None, Origin.UNKNOWN, "")
        for pointer, item in items_of(value, f"/{escape(key)}"):
            if form and isinstance(item, dict):
                walk_file(walk, item, pointer)
            else:
                walk_media(walk, item, origins.get(key, Origin.UNKNOWN), pointer, key=key)
        if key == _ASKED:
            walk.message(start)


def items_of(value: object, pointer: str) -> Iterator[tuple[str, object]]:
    """Yield what a field holds, each with its place: a name in brackets holds a list."""
    if not isinstance(value, list):
        yield pointer, value
    else:
        yield from ((f"{pointer}/{index}", item) for index, item in enumerate(value))


def walk_file(walk: Walk, file: JsonObject, pointer: str) -> None:
    """Take in a file of a form: what it says is a document's text, bytes that say nothing are media."""
    for key, value in file.items():
        start = len(walk.segments)
        if key == "data":
            walk.child(key, None, Origin.TOOL, pointer)
            walk.unread(Unscanned.MEDIA)
        else:
            walk.child(key, value, Origin.TOOL, pointer)
        if key == "lines":  # only these are one text: a name and a type are never read in one go
            walk.message(start)


def _field(part: Part) -> str:
    try:
        return part.data.decode()
    except UnicodeDecodeError as exc:
        raise EdgeError(400, "invalid_form", "A field of the form is not UTF-8.", part.name) from exc


def _file(part: Part, filename: str) -> JsonObject:
    head = {"filename": filename, "content_type": part.content_type}
    name = filename.lower()
    labelled = part.content_type.startswith(_TEXT_TYPES) or name.endswith(_TEXT_NAMES)
    charset = charset_of(part.data) or ("utf-8" if labelled else None)
    if charset is None:
        return head | {"data": b64encode(part.data).decode()}
    try:
        text = part.data.decode(charset)
    except UnicodeDecodeError as exc:
        raise EdgeError(400, "invalid_form", "A file that says it is text is not UTF-8.", part.name) from exc
    lined = name.endswith(_LINES) or part.content_type in {"application/jsonl", "application/x-ndjson"}
    told: JsonObject = {"lines": text.split("\n")} if lined else {"text": text}
    return head | told | ({} if charset == "utf-8" else {"charset": charset})


def _bytes_of(file: JsonObject) -> bytes:
    if "data" in file:
        return b64decode(file["data"])
    text: str = file["text"] if "text" in file else "\n".join(file["lines"])
    return text.encode(file.get("charset", "utf-8"))
