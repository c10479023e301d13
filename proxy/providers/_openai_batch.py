"""Requests inside of files: the lines of a batch, each read by the codec that reads its URL when it comes alone.

Source: platform.openai.com/docs/api-reference/batch/request-input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from detectors.errors import EdgeError
from detectors.types import Direction, Origin, Unscanned
from proxy.bodies.json_document import parse_generously
from proxy.bodies.walk import Walk
from proxy.codec import Codec, JsonObject, Reference, Target
from proxy.providers.openai_chat import CODEC as CHAT
from proxy.providers.openai_completions import CODEC as COMPLETIONS
from proxy.providers.openai_embeddings import CODEC as EMBEDDINGS
from proxy.providers.openai_image_edits import CODEC as IMAGE_EDITS
from proxy.providers.openai_images import CODEC as IMAGES
from proxy.providers.openai_moderations import CODEC as MODERATIONS
from proxy.providers.openai_responses import CODEC as RESPONSES

READERS: Final = (CHAT, RESPONSES, EMBEDDINGS, COMPLETIONS, MODERATIONS, IMAGES, IMAGE_EDITS)
# All that Python's own `str.splitlines` takes for the end of a line, of which JSON lines know two.
_CUTS: Final = "\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029"
_OBJECT: Final = re.compile(f"(?:^|[{_CUTS}])[ \t\ufeff]*({{[^{_CUTS}]{{16,}}}})[ \t]*(?=[{_CUTS}]|$)")
_MOST_LOOKS: Final = 20_000
_METHOD: Final = "POST"
_MARKS: Final = ("url", "method", "custom_id")


def is_request(line: object) -> bool:
    """Tell a line that a provider might carry out as a request, whatever its file is said to be for."""
    return isinstance(line, dict) and isinstance(line.get("body"), dict) and any(mark in line for mark in _MARKS)


def hides_request(text: str) -> bool:
    """Tell a text in which a more generous reading, of where lines end or of JSON, would find a request.

    What could be one too often to look at each counts as one, because each look has its price.
    """
    for count, found in enumerate(_OBJECT.finditer(text)):
        if count == _MOST_LOOKS or is_request(parse_generously(found.group(1))):
            return True
    return False


def check_requests(lines: Sequence[Any], *, batch: bool) -> None:
    """Hold every request among the lines to what a direct one is held to: a known URL, and a model where one is needed.

    `batch`: there may be nothing but requests. Raises EdgeError 400 that says which line it is.
    """
    for number, line in enumerate(lines, 1):
        if is_request(line):
            reader = reader_of(line)
            if reader is None:
                raise _refused(number, "is a request to a URL that is not read here.")
            if reader.needs_model and not reader.models(_target(line), line["body"]):
                raise _refused(number, "is a request without a model.")
        elif batch and not (isinstance(line, str) and not line.strip()):
            raise _refused(number, "is not one request as a batch has them: custom_id, method, url and body, in JSON.")
    if hides_request("\n".join(line for line in lines if isinstance(line, str))):
        raise EdgeError(400, "invalid_file", "The file holds a request beside something else on a line.", "file")


def reader_of(line: object) -> Codec | None:
    """Return who reads a line's request, None if the line is none or is nobody's."""
    if not is_request(line) or not isinstance(line, dict):
        return None
    url, method = line.get("url"), line.get("method", _METHOD)
    if method != _METHOD or not isinstance(url, str):
        return None
    return next((codec for codec in READERS if codec.claims(_METHOD, url)), None)


def walk_lines(walk: Walk, lines: Sequence[Any], pointer: str) -> None:
    """Take in a file's lines: requests as their codecs do, the lines between two of them as one document's text."""
    start = len(walk.segments)
    for index, line in enumerate(lines):
        reader = reader_of(line)
        if walk.full:
            walk.unread(Unscanned.OVERSIZE)
        elif reader is None:
            walk.visit(line, Origin.TOOL, f"{pointer}/{index}")
        else:
            walk.message(start)
            _walk_request(walk, line, reader, f"{pointer}/{index}")
            start = len(walk.segments)
    walk.message(start)


def models_in(lines: Sequence[Any]) -> Iterator[str]:
    """Yield every model that the requests among the lines may reach."""
    for line in lines:
        reader = reader_of(line)
        if reader is not None:
            yield from reader.models(_target(line), line["body"])


def references_in(lines: Sequence[Any], pointer: str) -> Iterator[Reference]:
    """Yield what the requests among the lines lean on."""
    for index, line in enumerate(lines):
        reader = reader_of(line)
        for found in () if reader is None else reader.references(_target(line), line["body"]):
            yield Reference(found.kind, found.id, f"{pointer}/{index}/body{found.pointer}")


def _walk_request(walk: Walk, line: JsonObject, reader: Codec, pointer: str) -> None:
    for key, value in line.items():
        if key == "body":
            walk.child(key, None, Origin.UNKNOWN, pointer)
            walk.graft(reader.segments(value, Direction.REQUEST), f"{pointer}/body")
        elif key in {"url", "method"}:  # one of a few words, or nobody would read this line
            walk.skip("vocabulary", 2)
        else:
            walk.child(key, value, Origin.METADATA if key == "custom_id" else Origin.UNKNOWN, pointer)


def _target(line: JsonObject) -> Target:
    return Target(_METHOD, line["url"])


def _refused(number: int, why: str) -> EdgeError:
    return EdgeError(400, "invalid_file", f"Line {number} of the file {why}", "file")
