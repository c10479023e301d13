"""What an answer with choices says: everything is the model's word but for identifiers, times and counts."""

from __future__ import annotations

from typing import Final

from detectors.types import Origin
from proxy.bodies.json_document import NumberToken
from proxy.bodies.walk import Walk
from proxy.codec import JsonObject
from proxy.providers._openai_media import MEDIA, walk_media
from proxy.providers._openai_shapes import is_fact
from proxy.providers._responses_copies import spells
from proxy.providers._tokens import is_token

ANSWER_FACTS: Final = frozenset({"id", "object", "created", "model", "system_fingerprint", "service_tier"})
_CHOICE_FACTS: Final = frozenset({"finish_reason", "native_finish_reason", "index"})
_TOKEN_LISTS: Final = frozenset({"tokens", "token_logprobs", "top_logprobs", "text_offset"})
_WITH_MEDIA: Final = frozenset({"audio", "images"})  # of a message
_MOST_OTHERS: Final = 20  # likely other tokens of one place


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
            elif key == "logprobs" and (
                _spells(value, choice.get("message")) or _spells_text(value, choice.get("text"))
            ):
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
        elif key in _WITH_MEDIA and isinstance(value, dict | list):
            walk.child(key, None, Origin.ASSISTANT, pointer)
            walk_media(walk, value, Origin.ASSISTANT, f"{pointer}/{key}", MEDIA)
        else:
            walk.child(key, value, Origin.ASSISTANT, pointer)


def _repeats(logprobs: object, choice: JsonObject) -> bool:
    return _spells(logprobs, choice.get("message")) or _spells_text(logprobs, choice.get("text"))


def _spells(logprobs: object, message: object) -> bool:
    """Tell whether log probabilities say what the message says and nothing else."""
    if not isinstance(logprobs, dict) or not isinstance(message, dict):
        return logprobs is None
    return all(not tokens or spells(tokens, message.get(field)) for field, tokens in logprobs.items())


def _spells_text(logprobs: object, text: object) -> bool:
    """As `_spells`, for the lists of the older completions: the likely other tokens are keys of `top_logprobs`."""
    if not isinstance(logprobs, dict) or not logprobs.keys() <= _TOKEN_LISTS:
        return False
    tokens, others = logprobs.get("tokens"), logprobs.get("top_logprobs") or []
    return (
        isinstance(tokens, list)
        and all(isinstance(token, str) for token in tokens)
        and "".join(tokens) == text
        and isinstance(others, list)
        and all(place is None or (isinstance(place, dict) and _are_tokens(place)) for place in others)
        and all(_are_numbers(logprobs.get(key)) for key in ("token_logprobs", "text_offset"))
    )


def _are_tokens(place: JsonObject) -> bool:
    short = len(place) <= _MOST_OTHERS and all(map(is_token, place))
    return short and _are_numbers(list(place.values()))


def _are_numbers(values: object) -> bool:
    listed = values if isinstance(values, list) else [values]
    return all(value is None or isinstance(value, int | float | NumberToken) for value in listed)


def drop_logprobs(answer: JsonObject) -> None:
    """Take the log probabilities, which repeat the text, out of every choice, in place."""
    choices = answer.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and "logprobs" in choice:
            choice["logprobs"] = None
