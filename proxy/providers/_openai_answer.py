"""What a chat completions answer says: everything is the model's word but for identifiers, times and counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detectors.types import Origin
from proxy.codec import JsonObject
from proxy.providers._openai_shapes import is_fact
from proxy.walk import Walk

ANSWER_FACTS: Final = frozenset({"id", "object", "created", "model", "system_fingerprint", "service_tier"})
_CHOICE_FACTS: Final = frozenset({"finish_reason", "native_finish_reason", "index"})


def walk_answer(walk: Walk, body: JsonObject) -> None:
    """Take in a whole answer; each choice is a message of the walk."""
    facts = 0
    for key, value in body.items():
        if key in ANSWER_FACTS and is_fact(value):
            facts += 2
        elif key == "choices" and isinstance(value, list):
            walk.skip("vocabulary")
            for index, choice in enumerate(value):
                _choice(walk, choice, f"/choices/{index}")
        else:
            walk.child(key, value, Origin.ASSISTANT, "")
    walk.skip("answer_facts", facts)


def _choice(walk: Walk, choice: object, pointer: str) -> None:
    start, facts = len(walk.segments), 0
    if not isinstance(choice, dict):
        walk.visit(choice, Origin.ASSISTANT, pointer)
    else:
        for key, value in choice.items():
            if key in _CHOICE_FACTS and is_fact(value):
                facts += 2
            elif key == "logprobs" and _spells(value, choice.get("message")):
                walk.skip("logprobs")  # the same text token by token; dropped when the text is edited
            elif key == "message" and isinstance(value, dict):
                walk.skip("vocabulary")
                _message(walk, value, f"{pointer}/message")
            else:
                walk.child(key, value, Origin.ASSISTANT, pointer)
    walk.skip("answer_facts", facts)
    walk.message(start)


def _message(walk: Walk, message: JsonObject, pointer: str) -> None:
    for key, value in message.items():
        if key == "role" and value == "assistant":
            walk.skip("vocabulary", 2)
        else:
            walk.child(key, value, Origin.ASSISTANT, pointer)


def _spells(logprobs: object, message: object) -> bool:
    """Tell whether log probabilities say what the message says and nothing else."""
    if not isinstance(logprobs, dict) or not isinstance(message, dict):
        return logprobs is None
    return all(not tokens or _join(tokens, message.get(field)) for field, tokens in logprobs.items())


def _join(tokens: object, text: object) -> bool:
    """Tell whether tokens make up a text. A token may be half a letter: then its bytes tell."""
    if not isinstance(tokens, list) or not isinstance(text, str):
        return False
    try:
        return b"".join(_bytes(tokens)) == text.encode()
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def _bytes(tokens: list[JsonObject]) -> Iterator[bytes]:
    for token in tokens:
        raw = token.get("bytes")
        yield bytes(raw) if isinstance(raw, list) else token["token"].encode()
