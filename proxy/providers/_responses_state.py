"""What a Responses request leans on that lives at the provider, and what an answer says was made there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from proxy.bodies.pointer import escape
from proxy.codec import JsonObject, Reference

# Keys that hold ids, at any depth of what reaches the model; the value is the kind of object.
_IDS: Final = {
    "file_id": "file",
    "file_ids": "file",
    "vector_store_ids": "vector_store",
    "container_id": "container",
    "skill_id": "skill",
}
_READ: Final = ("input", "items", "instructions", "prompt", "tools", "tool_choice")
# What is inside of these is text for people and schemas, no object that the provider would load.
_QUOTED: Final = frozenset(
    {"annotations", "results", "parameters", "schema", "input_schema", "output_schema", "attributes", "filters"}
)
_ENDS: Final = frozenset({"response.created", "response.completed", "response.incomplete", "response.failed"})


def references_of(body: JsonObject) -> Iterator[Reference]:
    """Yield the objects that a request names, each where it names it."""
    yield from _named("response", body.get("previous_response_id"), "/previous_response_id")
    options = body.get("prompt_cache_options")
    if isinstance(options, dict):
        below = "/prompt_cache_options/comparison_response_id"
        yield from _named("response", options.get("comparison_response_id"), below)
    for key, kind in (("conversation", "conversation"), ("prompt", "prompt")):
        value = body.get(key)
        whole = isinstance(value, str)
        yield from _named(kind, value if whole else _id(value), f"/{key}" if whole else f"/{key}/id")
    for key in _READ:
        yield from references_in(body.get(key), f"/{key}")


def creations_of(answer: JsonObject) -> Iterator[Reference]:
    """Yield what an answer, or an event that carries one, says was made; a response is kept unless `store` is false.

    The event in the middle of a stream tells nothing that the first and the last do not.
    """
    if answer.get("type") in _ENDS and isinstance(answer.get("response"), dict):
        answer = answer["response"]
    if answer.get("object") != "response" or answer.get("deleted") is True:
        return
    if answer.get("store") is not False:
        yield from _named("response", answer.get("id"), "/id")
        for index, item in enumerate(_list(answer.get("output"))):
            yield from _named("item", _id(item), f"/output/{index}/id")
    yield from _named("conversation", _id(answer.get("conversation")), "/conversation/id")
    for reference in references_in(answer.get("output"), "/output"):
        if reference.kind == "container":
            yield reference


def references_in(value: Any, pointer: str) -> Iterator[Reference]:
    """Yield the objects that items, parts and tools name, wherever they stand in `value`."""
    if isinstance(value, list):
        for index, child in enumerate(value):
            if isinstance(child, dict | list):  # of a million tokens none is looked at
                yield from references_in(child, f"{pointer}/{index}")
    elif isinstance(value, dict):
        if _is_reference(value):
            yield from _named("item", value.get("id"), f"{pointer}/id")
        if value.get("type") == "code_interpreter":
            yield from _named("container", value.get("container"), f"{pointer}/container")
        for key, child in value.items():
            if key in _IDS:
                yield from _named(_IDS[key], child, f"{pointer}/{escape(key)}")
            if isinstance(child, dict | list) and key not in _QUOTED:
                yield from references_in(child, f"{pointer}/{escape(key)}")


def _is_reference(item: JsonObject) -> bool:
    """Tell an item that stands for what the provider keeps: its type may be left out, as may whatever is null, and a
    picture or a reasoning that comes without its content is looked up by its id.
    """
    kind = item.get("type")
    if kind is None:
        return "id" in item and all(key == "id" or value is None for key, value in item.items())
    if kind in ("image_generation_call", "reasoning"):
        return not any(item.get(key) for key in ("result", "encrypted_content", "content", "summary"))
    return bool(kind == "item_reference")


def _named(kind: str, value: object, pointer: str) -> Iterator[Reference]:
    if isinstance(value, str) and value:
        yield Reference(kind, value, pointer)
    for index, child in enumerate(_list(value)):
        if isinstance(child, str) and child:
            yield Reference(kind, child, f"{pointer}/{index}")


def _id(value: object) -> object:
    return value.get("id") if isinstance(value, dict) else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
