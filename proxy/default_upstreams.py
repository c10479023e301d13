"""Who serves models where the settings name nobody: whoever there is a credential for in the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

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
