"""Making a request ask for another model than its sender named."""

from __future__ import annotations

from proxy.codec import JsonObject, Target


def name_model(target: Target, body: JsonObject, model: str) -> Target | None:
    """Put `model` into the body and drop those that would take over from it; None where the body names no model."""
    if not isinstance(body.get("model"), str):
        return None
    body["model"] = model
    for others in ("models", "fallbacks", "preset"):
        body.pop(others, None)
    return target
