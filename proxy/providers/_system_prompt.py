"""Putting a sentence behind a system prompt that is one string, or a list of parts."""

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
