"""Who wrote what in a messages request, which models it may reach, and which objects at the provider it leans on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from detectors.types import Origin
from proxy.bodies.pointer import escape
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject, Reference
from proxy.providers._anthropic_blocks import walk_blocks
from proxy.providers._openai_request import walk_model

_ROLES: Final[Mapping[str, Origin]] = {
    "user": Origin.USER,
    "assistant": Origin.ASSISTANT,
    "system": Origin.SYSTEM,
}
_FIELDS: Final[Mapping[str, Origin]] = {
    "tools": Origin.TOOL_DEFINITION,
    "mcp_servers": Origin.TOOL_DEFINITION,
    "output_config": Origin.TOOL_DEFINITION,
    "output_format": Origin.TOOL_DEFINITION,
    "tool_choice": Origin.METADATA,
    "metadata": Origin.METADATA,
    "stop_sequences": Origin.METADATA,
    "user_profile_id": Origin.METADATA,
}


def walk_request(walk: Walk, body: JsonObject) -> None:
    """Take in a whole request; the system prompt is the first message of the walk, then come the others."""
    if "system" in body:
        start = len(walk.segments)
        _content(walk, "system", body["system"], Origin.SYSTEM, "")
        walk.message(start)
    for key, value in body.items():
        if key == "messages" and isinstance(value, list):
            walk.skip("vocabulary")
            for index, message in enumerate(value):
                _message(walk, message, f"/messages/{index}")
        elif key == "model" and isinstance(value, str):
            walk.skip("model")
            walk_model(walk, value, f"/{key}")
        elif key != "system":
            walk.child(key, value, _FIELDS.get(key, Origin.UNKNOWN), "")


def reachable_models(body: JsonObject) -> tuple[str, ...]:
    """Return the wanted model, then those that take over when it declines, then those of tools that ask another."""
    others = [body.get("fallbacks"), body.get("tools")]
    listed = [item for items in others if isinstance(items, list) for item in items if isinstance(item, dict)]
    named = [body.get("model"), *(item.get("model") for item in listed)]
    return tuple(dict.fromkeys(model for model in named if isinstance(model, str) and model))


def references_of(body: JsonObject) -> tuple[Reference, ...]:
    """Return the files, containers, skills and conversations that are kept at the provider."""
    found = [*_files(body.get("system"), "/system"), *_files(body.get("messages"), "/messages")]
    container, thread = body.get("container"), body.get("thread")
    if isinstance(container, dict):
        found += [*_named("container", container, "id", "/container"), *_skills(container.get("skills"))]
    else:
        found += _named("container", body, "container", "")
    if isinstance(thread, dict):
        found += _named("message", thread, "previous_message_id", "/thread")
    return tuple(found)


def _message(walk: Walk, message: object, pointer: str) -> None:
    start = len(walk.segments)
    if not isinstance(message, dict):
        walk.visit(message, Origin.UNKNOWN, pointer)
    else:
        role = message.get("role")
        origin = _ROLES.get(role, Origin.UNKNOWN) if isinstance(role, str) else Origin.UNKNOWN
        for key, value in message.items():
            if key == "role" and origin is not Origin.UNKNOWN:
                walk.skip("vocabulary", 2)
            else:
                _content(walk, key, value, origin, pointer)
    walk.message(start)


def _content(walk: Walk, key: str, value: object, origin: Origin, pointer: str) -> None:
    if isinstance(value, list) and key in {"content", "system"}:
        walk.skip("vocabulary")
        walk_blocks(walk, value, origin, f"{pointer}/{key}")
    else:
        walk.child(key, value, origin, pointer)


def _files(value: Any, pointer: str) -> Iterator[Reference]:
    """Yield the files that blocks name. What a tool was asked names nothing: its `file_id` may be of another world."""
    if isinstance(value, list):
        for index, child in enumerate(value):
            yield from _files(child, f"{pointer}/{index}")
    elif isinstance(value, dict):
        if value.get("type") in ("file", "container_upload"):
            yield from _named("file", value, "file_id", pointer)
        for key, child in value.items():
            if key != "input" and isinstance(child, dict | list):
                yield from _files(child, f"{pointer}/{escape(key)}")


def _skills(skills: object) -> Iterator[Reference]:
    for index, skill in enumerate(skills if isinstance(skills, list) else ()):
        if isinstance(skill, dict) and skill.get("type") != "anthropic":  # the provider's own are nobody's text
            yield from _named("skill", skill, "skill_id", f"/container/skills/{index}")


def _named(kind: str, holder: JsonObject, key: str, pointer: str) -> Iterator[Reference]:
    name = holder.get(key)
    if isinstance(name, str) and name:
        yield Reference(kind, name, f"{pointer}/{key}")
