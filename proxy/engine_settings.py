"""The detection engine: where `promptshield engine` listens, and how proxies reach one."""

from __future__ import annotations

import ipaddress
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from policies.schema_words import SizeText
from proxy.base_urls import OptionalBaseUrl
from proxy.edge_settings import MutualTlsSettings

SHORTEST_TOKEN: Final = 24  # characters


class EngineSettings(BaseModel):
    """`host`, `port` and `in_flight` (questions at once, beyond them 503) are the engine's own. `url` is that of the
    engine which proxies ask, empty where each detects by itself; `deadline` (seconds) bounds the whole question, after
    `threshold` failures in a row nobody asks for `recovery` seconds. `token` is what both sides know, `tls` the
    certificates by which each knows the other, `body` (bytes) the largest question.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    in_flight: int = Field(default=64, ge=1)
    url: OptionalBaseUrl = ""
    token: str = Field(default="", repr=False)
    tls: MutualTlsSettings | None = None
    deadline: float = Field(default=1.0, gt=0, le=30)
    threshold: int = Field(default=3, ge=1)
    recovery: float = Field(default=5.0, gt=0)
    body: SizeText = 8 << 20

    @model_validator(mode="after")
    def _is_not_open_to_strangers(self) -> Self:
        if not is_loopback(self.host) and not self.token and self.tls is None:
            raise ValueError("an engine that listens beyond this machine needs engine.token or engine.tls")
        if self.tls is not None and self.url.startswith("http:"):
            raise ValueError("engine.tls needs an engine.url that begins with https://")
        if self.token and len(self.token) < SHORTEST_TOKEN:
            raise ValueError(f"engine.token is too short: {SHORTEST_TOKEN} random characters or more")
        return self


def is_loopback(host: str) -> bool:
    """Tell whether a host, as it is written in settings, is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
