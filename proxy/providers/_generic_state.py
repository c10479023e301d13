"""What a request of unknown shape leans on: the keys under which ids of a provider's objects stand in every API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from proxy.bodies.json_document import NumberToken
from proxy.bodies.pointer import escape
from proxy.codec import Reference

# As `plain` writes them, at any depth; the value is the kind of object.
_IDS: Final = {
    "assistantid": "assistant",
    "batchid": "batch",
    "cachedcontent": "cached_content",
    "container": "container",
    "containerid": "container",
    "conversation": "conversation",
    "conversationid": "conversation",
    "fileid": "file",
    "fileids": "file",
    "filesearchstorenames": "file_search_store",
    "fileuri": "file",
    "inputfileid": "file",
    "outputfileid": "file",
    "previousinteractionid": "interaction",
    "previousresponseid": "response",
    "promptid": "prompt",
    "ragcorpora": "rag_corpus",
    "ragcorpus": "rag_corpus",
    "responseid": "response",
    "runid": "run",
    "skillid": "skill",
    "threadid": "thread",
    "trainingfile": "file",
    "uploadid": "upload",
    "validationfile": "file",
    "vectorstoreid": "vector_store",
    "vectorstoreids": "vector_store",
}
# What they hold is an object only where it says its id; else it is the text itself.
_TEXTS: Final = {"prompt": "prompt"}


def plain(key: str) -> str:
    """Return a key without case, `_` and `-`: some servers read JSON names in any of these spellings."""
    return key.lower().replace("_", "").replace("-", "")


def references_in(value: Any, pointer: str = "") -> Iterator[Reference]:
    """Yield the objects that a body names by a well-known key, each where it names it."""
    if isinstance(value, list):
        for index, child in enumerate(value):
            if isinstance(child, dict | list):  # of millions of numbers none is looked at twice
                yield from references_in(child, f"{pointer}/{index}")
    elif isinstance(value, dict):
        for key, child in value.items():
            below, word = f"{pointer}/{escape(key)}", plain(key)
            if word in _IDS:
                yield from _named(_IDS[word], child, below)
            elif word in _TEXTS and isinstance(child, dict):
                yield from _named(_TEXTS[word], child, below)
            yield from references_in(child, below)


def _named(kind: str, value: Any, pointer: str) -> Iterator[Reference]:
    """Yield an id, every id of a list, or what an object says its id is."""
    if isinstance(value, dict):
        yield from _named(kind, value.get("id"), f"{pointer}/id")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _named(kind, child, f"{pointer}/{index}")
    elif isinstance(value, NumberToken):
        yield Reference(kind, value.text, pointer)
    elif isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
        yield Reference(kind, str(value), pointer)
