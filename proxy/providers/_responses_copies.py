"""What of an answer leans on its text: log probabilities token by token, offsets into it, all of it once more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from proxy.codec import JsonObject
from proxy.json_document import NumberToken

_TOKEN: Final = frozenset({"token", "logprob", "bytes", "top_logprobs"})
_MOST_OTHERS, _LONGEST_TOKEN = 20, 64  # likely other tokens of one place; characters of one


def spells(logprobs: object, text: object) -> bool:
    """Tell whether log probabilities say what `text` says, and nothing else but likely other tokens."""
    if not isinstance(logprobs, list) or not isinstance(text, str):
        return False
    try:
        return b"".join(_bytes(token, place=True) for token in logprobs) == text.encode()
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def drop_logprobs(value: Any) -> None:
    """Empty every list of log probabilities in `value`, in place."""
    for holder in _objects(value):
        if isinstance(holder.get("logprobs"), list):
            holder["logprobs"] = []


def drop_offsets(part: JsonObject) -> None:
    """Make the annotations of a text that has changed point at nothing: SDKs insist on numbers there."""
    for holder in _objects(part.get("annotations")):
        for key in ("start_index", "end_index"):
            if key in holder:
                holder[key] = 0


def mend_answer(answer: JsonObject) -> None:
    """Take out of an answer that was edited what no longer fits its texts, and say its whole text anew."""
    drop_logprobs(answer)
    for holder in _objects(answer):
        drop_offsets(holder)
    mend_output_text(answer)


def mend_output_text(answer: JsonObject) -> None:
    """Let the field that joins an answer's texts, where an upstream sends it, say what they say."""
    if isinstance(answer.get("output_text"), str):
        answer["output_text"] = "".join(
            part["text"]
            for item in _listed(answer.get("output"))
            for part in _listed(item.get("content"))
            if part.get("type") == "output_text" and isinstance(part.get("text"), str)
        )


def _listed(value: object) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _objects(value: Any) -> Iterator[JsonObject]:
    """Yield every object in `value`, itself included."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list):
        for child in list(value.values()) if isinstance(value, dict) else value:
            yield from _objects(child)


def _bytes(token: JsonObject, *, place: bool) -> bytes:
    """Return what one token spells; a token may be half a letter: then its bytes tell. Raises for any other shape."""
    others = token.get("top_logprobs") or []
    if not token.keys() <= _TOKEN or len(others) > (_MOST_OTHERS if place else 0):
        raise ValueError("not a token")
    if not isinstance(token.get("logprob", 0), int | float | NumberToken) or len(token["token"]) > _LONGEST_TOKEN:
        raise ValueError("not a token")
    for other in others:
        _bytes(other, place=False)
    raw = token.get("bytes")
    return bytes(raw) if isinstance(raw, list) else str.encode(token["token"])
