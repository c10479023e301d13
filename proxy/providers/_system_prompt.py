"""Putting a text before or behind a system prompt that is one string, or a list of parts."""

from __future__ import annotations

from proxy.codec import JsonObject


def append_sentence(holder: JsonObject, key: str, sentence: str, part: JsonObject) -> bool:
    """Add `sentence` to a string under `key`, or `part`, which holds it, to a list. False for an empty one or none."""
    prompt = holder.get(key)
    if isinstance(prompt, str) and prompt:
        holder[key] = f"{prompt}\n\n{sentence}"
    elif isinstance(prompt, list) and prompt:
        prompt.append(part)
    else:
        return False
    return True


def prepend(holder: JsonObject, key: str, text: str, kind: str) -> bool:
    """Put `text` before a string under `key`, or as the first part of a list. False for an empty one or none."""
    prompt = holder.get(key)
    if isinstance(prompt, str) and prompt:
        holder[key] = f"{text}\n\n{prompt}"
    elif isinstance(prompt, list) and prompt:
        prompt.insert(0, {"type": kind, "text": text} if kind else {"text": text})
    else:
        return False
    return True
