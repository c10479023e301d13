"""What an answer of Gemini's says, whole or as one event of a stream: candidates, feedback, vectors, counts."""

from __future__ import annotations

import re
from typing import Final

from detectors.types import Origin
from proxy.bodies.json_document import NumberToken
from proxy.bodies.pointer import escape
from proxy.bodies.walk import LONG_INTEGER, Walk
from proxy.codec import JsonObject
from proxy.providers._gemini_logprobs import repeats_text
from proxy.providers._gemini_parts import walk_content
from proxy.providers._gemini_shapes import camel, member, members
from proxy.providers._openai_shapes import is_fact

ENVELOPE: Final = frozenset({"modelVersion", "responseId", "createTime"})
_CANDIDATE_FACTS: Final = frozenset({"finishReason", "index", "tokenCount", "avgLogprobs"})
_CONSTANTS: Final = frozenset({"blockReason", "category", "probability", "severity", "overwrittenThreshold"})
_CONSTANT: Final = re.compile(r"[A-Z_]{1,64}")
# Written by the pages that were searched, not by the model.
_FOUND: Final = frozenset({"groundingMetadata", "citationMetadata", "urlContextMetadata"})


def walk_answer(walk: Walk, body: JsonObject) -> None:
    """Take in a whole answer; each candidate's content is a message of the walk."""
    for key, value in body.items():
        name, below = camel(key), f"/{escape(key)}"
        if name in ENVELOPE and is_fact(value):
            walk.skip("answer_facts", 2)
        elif name == "candidates" and isinstance(value, list):
            walk.skip("vocabulary")
            for index, candidate in enumerate(value):
                _candidate(walk, candidate, f"{below}/{index}")
        elif name in {"embedding", "embeddings"}:
            walk.skip("vocabulary")
            _embeddings(walk, value, below)
        elif name == "promptFeedback" and isinstance(value, dict):
            walk.skip("vocabulary")
            _rated(walk, value, below)
        else:
            walk.child(key, value, Origin.ASSISTANT, "")


def without_copies(answer: JsonObject) -> None:
    """Drop, in place, what repeats the text of candidates or points into it by number."""
    for listed in members(answer, "candidates"):
        for candidate in listed if isinstance(listed, list) else ():
            drop(candidate, "logprobsResult")
            for grounding in members(candidate, "groundingMetadata"):
                drop(grounding, "groundingSupports")


def drop(value: object, name: str) -> None:
    """Drop a member in both its spellings, in place."""
    if isinstance(value, dict):
        for key in [key for key in value if camel(key) == name]:
            del value[key]


def _candidate(walk: Walk, candidate: object, pointer: str) -> None:
    if not isinstance(candidate, dict):
        walk.visit(candidate, Origin.ASSISTANT, pointer)
        return
    for key, value in candidate.items():
        name = camel(key)
        if name in _CANDIDATE_FACTS and is_fact(value):
            walk.skip("answer_facts", 2)
        elif name == "content":
            walk.skip("vocabulary")
            walk_content(walk, value, Origin.ASSISTANT, f"{pointer}/{key}")
        elif name == "logprobsResult" and repeats_text(value, member(candidate, "content")):
            walk.skip("logprobs")  # the same text token by token; dropped when the text is edited
        elif name == "safetyRatings":
            _rated(walk, {key: value}, pointer)
        else:
            walk.child(key, value, Origin.TOOL if name in _FOUND else Origin.ASSISTANT, pointer)


def _rated(walk: Walk, value: JsonObject, pointer: str) -> None:
    """Take in an object whose constants (HARM_CATEGORY_HARASSMENT, NEGLIGIBLE, SAFETY) are no text."""
    for key, child in value.items():
        below = f"{pointer}/{escape(key)}"
        if camel(key) == "safetyRatings" and isinstance(child, list):
            walk.skip("vocabulary")
            for index, rating in enumerate(child):
                if isinstance(rating, dict):
                    _rated(walk, rating, f"{below}/{index}")
                else:
                    walk.visit(rating, Origin.ASSISTANT, f"{below}/{index}")
        elif camel(key) in _CONSTANTS and isinstance(child, str) and _CONSTANT.fullmatch(child):
            walk.skip("answer_facts", 2)
        else:
            walk.child(key, child, Origin.ASSISTANT, pointer)


def _embeddings(walk: Walk, value: object, pointer: str) -> None:
    """Take in one embedding or a list of them; the numbers of a vector are nobody's text, however long they are."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            _embeddings(walk, item, f"{pointer}/{index}")
    elif isinstance(value, dict):
        for key, child in value.items():
            if key == "values" and isinstance(child, list) and all(map(_is_coordinate, child)):
                walk.skip("vectors", 1 + len(child))
            else:
                walk.child(key, child, Origin.ASSISTANT, pointer)
    else:
        walk.visit(value, Origin.ASSISTANT, pointer)


def _is_coordinate(value: object) -> bool:
    number = float(value.text) if isinstance(value, NumberToken) else value
    return isinstance(number, int | float) and abs(number) < LONG_INTEGER
