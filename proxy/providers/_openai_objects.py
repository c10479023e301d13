"""What the endpoints for files, uploads and batches have in common: ids in paths, and answers about an object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from detectors.types import Direction, Origin
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject, Reference, Target
from proxy.providers._openai_endpoint import OpenAiEndpoint
from proxy.providers._responses_shapes import VOCABULARY, param_of
from proxy.providers._stored import StoredRoutes, walk_named, walk_object, without_named

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


class OpenAiObjects(StoredRoutes, OpenAiEndpoint):
    """An endpoint of several routes. Batches are read as the requests in them are, Responses' among them."""

    vocabulary = VOCABULARY
    origins = dict.fromkeys(_FIELDS.split(), Origin.METADATA) | {"filename": Origin.TOOL}

    def models(self, target: Target, body: JsonObject) -> tuple[str, ...]:
        return ()

    def creations(self, answer: JsonObject) -> tuple[Reference, ...]:
        return tuple(_created(answer))

    def segments(self, body: Any, direction: Direction) -> Walk:
        if direction is Direction.RESPONSE or not isinstance(body, dict):
            return super().segments(body, direction)
        walk = super().segments(without_named(body, self.named), direction)
        walk_named(walk, body, self.named)
        return walk

    def walk_request(self, walk: Walk, body: JsonObject) -> None:
        for key, value in body.items():
            walk.child(key, value, self.origins.get(key, Origin.UNKNOWN), "")

    def walk_answer(self, walk: Walk, body: JsonObject) -> None:
        walk_object(walk, body, "", _FACTS)

    def param(self, pointer: str) -> str:
        return pointer[1:] if pointer[1:] in self.named else param_of(pointer)


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
