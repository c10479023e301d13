"""Who wrote what in a request of Gemini's, and every model that it names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from detectors.types import Origin
from proxy.bodies.pointer import escape
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject, Reference
from proxy.providers._gemini_parts import walk_content
from proxy.providers._gemini_shapes import camel, members
from proxy.providers._openai_request import walk_model

_FIELDS: Final[Mapping[str, Origin]] = {
    "tools": Origin.TOOL_DEFINITION,
    "toolConfig": Origin.METADATA,
    "labels": Origin.METADATA,
    "cachedContent": Origin.METADATA,
    "taskType": Origin.METADATA,
    "title": Origin.USER,  # of a document to embed
}
_CONFIG_FIELDS: Final[Mapping[str, Origin]] = {
    "responseSchema": Origin.TOOL_DEFINITION,
    "responseJsonSchema": Origin.TOOL_DEFINITION,
    "responseFormat": Origin.TOOL_DEFINITION,
    "stopSequences": Origin.METADATA,
}
# What lives at the provider, and the keys that name it; stores that a tool searches are made elsewhere.
_OBJECTS: Final[Mapping[str, str]] = {
    "cachedContent": "cached_content",
    "fileUri": "file",
    "fileSearchStoreNames": "file_search_store",
    "ragCorpora": "rag_corpus",
    "ragCorpus": "rag_corpus",
}
# Videos that everybody can see: named like files, and nobody's (ai.google.dev/gemini-api/docs/video-understanding).
_VIDEO: Final = re.compile(
    r"https://(?:(?:www\.)?youtube\.com/(?:watch\?v=|shorts/|embed/)|youtu\.be/)[A-Za-z0-9_-]{11}(?:[?&]t=[0-9]{1,6}s?)?"
)
_SEARCHED: Final[Mapping[str, str]] = {"datastore": "data_store", "dataStore": "data_store", "engine": "engine"}
_SETTING: Final = re.compile(r"[A-Z_]{1,64}")  # without digits, so that no credential looks like one


def walk_request(walk: Walk, body: JsonObject, pointer: str = "") -> None:
    """Take in a request, or one that another holds (counting, batches); each content is a message of the walk."""
    for key, value in body.items():
        name, below = camel(key), f"{pointer}/{escape(key)}"
        if name in {"contents", "content", "systemInstruction"}:
            walk.skip("vocabulary")
            _contents(walk, name, value, below)
        elif name == "model" and isinstance(value, str):
            walk.skip("model")
            walk_model(walk, value, below)
        elif isinstance(value, dict | list) and name in _STRUCTURES:
            walk.skip("vocabulary")
            _STRUCTURES[name](walk, value, below)
        else:
            walk.child(key, value, _FIELDS.get(name, Origin.UNKNOWN), pointer)


def named_models(body: object) -> Iterator[str]:
    """Yield every model that a body names, without the `models/` in front."""
    for value in members(body, "model"):
        if isinstance(value, str) and value.removeprefix("models/"):
            yield value.removeprefix("models/")
    for config in members(body, "generationConfig"):
        for routing in members(config, "routingConfig"):
            for manual in members(routing, "manualMode"):
                yield from (name for name in members(manual, "modelName") if isinstance(name, str) and name)
    for name in ("generateContentRequest", "requests"):
        for nested in members(body, name):
            yield from named_models(nested)
    for item in body if isinstance(body, list) else ():
        yield from named_models(item)


def references_in(value: object, pointer: str = "", kinds: Mapping[str, str] = _OBJECTS) -> Iterator[Reference]:
    """Yield the caches, files and stores that a body leans on, wherever it names them."""
    if isinstance(value, dict):
        for key, child in value.items():
            below, name = f"{pointer}/{escape(key)}", camel(key)
            kind = kinds.get(name)
            named = child if isinstance(child, list) else [child]
            if kind and all(isinstance(one, str) for one in named):
                for index, one in enumerate(named):
                    if one and not (kind == "file" and _VIDEO.fullmatch(one)):
                        yield Reference(kind, one, f"{below}/{index}" if named is child else below)
            else:
                yield from references_in(child, below, _SEARCHED if name == "vertexAiSearch" else kinds)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from references_in(child, f"{pointer}/{index}", kinds)


def _contents(walk: Walk, name: str, value: object, pointer: str) -> None:
    if name == "contents" and isinstance(value, list):
        for index, content in enumerate(value):
            walk_content(walk, content, Origin.USER, f"{pointer}/{index}")
    elif name == "systemInstruction":
        walk_content(walk, value, Origin.SYSTEM, pointer, fixed=True)
    else:
        walk_content(walk, value, Origin.USER, pointer)


def _requests(walk: Walk, value: object, pointer: str) -> None:
    """Take in a request inside of this one, or a list of them."""
    if isinstance(value, dict):
        walk_request(walk, value, pointer)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _requests(walk, item, f"{pointer}/{index}")
    else:
        walk.visit(value, Origin.UNKNOWN, pointer)


def _config(walk: Walk, config: object, pointer: str) -> None:
    if not isinstance(config, dict):
        walk.visit(config, Origin.UNKNOWN, pointer)
        return
    for key, value in config.items():
        walk.child(key, value, _CONFIG_FIELDS.get(camel(key), Origin.UNKNOWN), pointer)


def _settings(walk: Walk, value: object, pointer: str) -> None:
    if isinstance(value, list):
        for index, setting in enumerate(value):
            _settings(walk, setting, f"{pointer}/{index}")
    elif isinstance(value, dict):
        _setting(walk, value, pointer)
    else:
        walk.visit(value, Origin.METADATA, pointer)


def _setting(walk: Walk, setting: JsonObject, pointer: str) -> None:
    for key, value in setting.items():
        if key in {"category", "threshold", "method"} and isinstance(value, str) and _SETTING.fullmatch(value):
            walk.skip("vocabulary", 2)
        else:
            walk.child(key, value, Origin.METADATA, pointer)


_STRUCTURES: Final[Mapping[str, Callable[[Walk, object, str], None]]] = {
    "generateContentRequest": _requests,
    "requests": _requests,
    "generationConfig": _config,
    "safetySettings": _settings,
}
