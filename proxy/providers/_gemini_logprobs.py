"""Whether log probabilities repeat a candidate's text token by token, or say something of their own."""

from __future__ import annotations

from proxy.bodies.json_document import NumberToken
from proxy.providers._gemini_shapes import camel, member
from proxy.providers._tokens import is_token


def repeats_text(logprobs: object, content: object) -> bool:
    """Tell whether the chosen tokens spell the content's text, and all else are single tokens and numbers."""
    if not isinstance(logprobs, dict):
        return logprobs is None
    parts = member(content, "parts")
    texts = [member(part, "text") for part in parts] if isinstance(parts, list) else []
    said = "".join(text for text in texts if isinstance(text, str))
    return all(_repeats(camel(key), value, said) for key, value in logprobs.items())


def _repeats(name: str, value: object, said: str) -> bool:
    if name == "logProbabilitySum":
        return _is_number(value)
    if not isinstance(value, list):
        return False
    if name == "topCandidates":
        return all(_are_alternatives(step) for step in value)
    return name == "chosenCandidates" and all(map(_is_token, value)) and "".join(i["token"] for i in value) == said


def _are_alternatives(step: object) -> bool:
    if not isinstance(step, dict) or step.keys() != {"candidates"} or not isinstance(step["candidates"], list):
        return False
    return all(_is_token(item) and is_token(item["token"]) for item in step["candidates"])


def _is_token(item: object) -> bool:
    """Tell an object that holds one token and numbers about it."""
    if not isinstance(item, dict) or not isinstance(item.get("token"), str):
        return False
    about = {camel(key): value for key, value in item.items() if key != "token"}
    return about.keys() <= {"tokenId", "logProbability"} and all(map(_is_number, about.values()))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | NumberToken)
