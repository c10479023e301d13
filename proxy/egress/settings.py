"""Which hosts are LLM services, and where the proxy for apps that cannot change their base URL listens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, field_validator

from proxy.base_urls import BaseUrl

_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


class EgressHost(BaseModel):
    """A host whose exchanges are read: its dialect, and the base URL that goes before what follows the version."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    dialect: Literal["openai", "anthropic", "gemini"] = "openai"
    base_url: BaseUrl

    @property
    def prefix(self) -> str:
        """What a path of the service begins with; Google's paths keep their version, of which there are several."""
        return "" if self.dialect == "gemini" else urlsplit(self.base_url).path

    def place(self, path: str) -> str:
        """Return a path of the service as we have it, below the dialect's mount; what is unknown there stays so."""
        mount, prefix = f"/{self.dialect}", self.prefix
        if self.dialect == "gemini" or not path.startswith(f"{prefix}/"):
            return f"{mount}{path}"
        if not prefix and path.startswith("/v1/"):  # a service at its host's root takes both
            return f"{mount}{path}"
        return f"{mount}/v1{path.removeprefix(prefix)}"


def _openai(base_url: str) -> EgressHost:
    return EgressHost(base_url=base_url)


# Where the official SDKs of these services point by themselves.
KNOWN_HOSTS: Final[Mapping[str, EgressHost]] = MappingProxyType(
    {
        "api.openai.com": _openai("https://api.openai.com/v1"),
        "api.anthropic.com": EgressHost(dialect="anthropic", base_url="https://api.anthropic.com/v1"),
        "generativelanguage.googleapis.com": EgressHost(
            dialect="gemini", base_url="https://generativelanguage.googleapis.com/v1beta"
        ),
        "openrouter.ai": _openai("https://openrouter.ai/api/v1"),
        "api.deepseek.com": _openai("https://api.deepseek.com"),
        "api.groq.com": _openai("https://api.groq.com/openai/v1"),
        "api.mistral.ai": _openai("https://api.mistral.ai/v1"),
        "api.together.xyz": _openai("https://api.together.xyz/v1"),
        "api.x.ai": _openai("https://api.x.ai/v1"),
        "api.fireworks.ai": _openai("https://api.fireworks.ai/inference/v1"),
    }
)


class EgressSettings(BaseModel):
    """`hosts` are read beside the known ones; one given here under a known name takes its place.

    Every other host passes if its address is public, or lies in `allow_networks`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    host: str = "127.0.0.1"
    port: int = Field(default=8888, ge=0, le=65535)
    hosts: dict[str, EgressHost] = {}
    allow_networks: tuple[IPvAnyNetwork, ...] = ()

    @field_validator("hosts")
    @classmethod
    def _are_hosts(cls, hosts: dict[str, EgressHost]) -> dict[str, EgressHost]:
        for name in hosts:
            if not _HOST.fullmatch(name):
                raise ValueError(f"expected a host such as 'llm.example.org' in lower case, not '{name}'")
        return hosts

    @property
    def read(self) -> dict[str, EgressHost]:
        """All hosts whose exchanges are read."""
        return {**KNOWN_HOSTS, **self.hosts}
