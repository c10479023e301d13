"""What of an answer leans on its text: log probabilities token by token, offsets into it, all of it once more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from proxy.bodies.json_document import NumberToken
from proxy.codec import JsonObject
from proxy.providers._tokens import is_token

_TOKEN: Final = frozenset({"token", "logprob", "bytes", "top_logprobs", "id"})
_MOST_OTHERS: Final = 20  # likely other tokens of one place


def spells(logprobs: object, text: object) -> bool:
    """Tell whether log probabilities say what `text` says, and nothing else but likely other tokens."""
    if not isinstance(logprobs, list) or not isinstance(text, str):
        return False
    try:
        return b"".join(_bytes(token) for token in logprobs) == text.encode()
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


def _bytes(token: JsonObject, of: JsonObject | None = None) -> bytes:
    """Return what one token spells, or a likely other one in the place `of` one. Raises for any other shape.

    A token may be half a letter: then its bytes tell.
    """
    others = token.get("top_logprobs") or []
    numbers = (token.get("logprob", 0), token.get("id", 0))
    shaped = token.keys() <= _TOKEN and all(isinstance(number, int | float | NumberToken) for number in numbers)
    if not shaped or len(others) > (_MOST_OTHERS if of is None else 0):
        raise ValueError("not a token")
    for other in others:
        _bytes(other, of=token)
    name, raw = token["token"], token.get("bytes")
    spelt = bytes(raw) if isinstance(raw, list) else str.encode(name)
    # What the text says was read with it; whatever else stands here says something only if it is more than a token.
    said = str.encode(name) == spelt if of is None else (name, raw) == (of["token"], of.get("bytes"))
    if not said and not (is_token(name) and is_token(spelt.decode(errors="replace"))):
        raise ValueError("not a token")
    return spelt
