"""Who serves models when the settings name nobody, and what the environment says of all upstreams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from detectors.documents import JsonObject

_OTHER_PROVIDERS: Final = (
    ("anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
    ("gemini", "https://generativelanguage.googleapis.com/v1beta", "GEMINI_API_KEY"),
)


def default_upstreams(environment: Mapping[str, str]) -> list[JsonObject]:
    """What serves models when the file names nobody: whoever a credential is there for, else the demo upstream."""
    found: list[JsonObject] = []
    if environment.get("OPENROUTER_API_KEY"):
        found.append(
            {
                "name": "openrouter",
                "base_url": "https://openrouter.ai/api/v1",
                "credential": environment["OPENROUTER_API_KEY"],
                "models": ["*/*"],
                "priority": 10,
            }
        )
    if environment.get("OPENAI_API_KEY"):
        base = environment.get("OPENAI_API_BASE") or "https://api.openai.com/v1"
        found.append({"name": "openai", "base_url": base, "credential": environment["OPENAI_API_KEY"], "priority": 20})
    found += [
        {"name": name, "dialect": name, "base_url": base, "credential": environment[variable], "priority": 20}
        for name, base, variable in _OTHER_PROVIDERS
        if environment.get(variable)
    ]
    return found


def with_threshold(upstreams: list[Any], environment: Mapping[str, str]) -> list[Any]:
    """Give upstreams whose breaker names no threshold that of CIRCUIT_BREAKER_THRESHOLD."""
    threshold = environment.get("CIRCUIT_BREAKER_THRESHOLD")
    if not threshold:
        return upstreams
    return [
        {**upstream, "breaker": {"threshold": threshold, **(upstream.get("breaker") or {})}}
        if isinstance(upstream, dict) and isinstance(upstream.get("breaker", {}), dict)
        else upstream
        for upstream in upstreams
    ]
