"""Where an upstream listens, read once from its base URL."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`authority` is the Host header's value; `path` is what stands before every request's own path."""

    tls: bool
    host: str
    port: int
    authority: str
    path: str

    @classmethod
    def parse(cls, base_url: str) -> Endpoint:
        """Read an http or https URL. Raises ValueError where host or port cannot be."""
        parts = urlsplit(base_url)
        host = (parts.hostname or "").replace("%25", "%", 1)
        if parts.scheme not in {"http", "https"} or not host:
            raise ValueError("a base URL is http(s)://host[:port]/path")
        if not host.isascii():
            host = host.encode("idna").decode()
        default = 443 if parts.scheme == "https" else 80
        port = default if parts.port is None else parts.port
        # A zone says which of our interfaces leads there: nothing the other side could know (RFC 6874, 3).
        named = f"[{host.partition('%')[0]}]" if ":" in host else host
        authority = named if port == default else f"{named}:{port}"
        return cls(parts.scheme == "https", host, port, authority, parts.path.rstrip("/"))
