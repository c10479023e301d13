"""Where both planes listen, and the bounds of a worker's edge: how long it waits, and how much it takes in at once."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from policies.schema_words import SizeText


class EdgeSettings(BaseModel):
    """Bounds of one worker, each with what happens at it.

    Seconds: until a request's head is whole (`head_idle`, then closed), between two pieces of its body (`body_idle`)
    and for all of it (`body_total`, then 408), for a connection at rest between two requests (`keep_alive`), and at
    the end those during which it still accepts (`grace`) and then lets streams finish (`drain`).
    At once: exchanges (`in_flight`) and bytes of request bodies (`held`); both are shared fairly among tenants, and
    beyond them a request gets 429 or 503.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    head_idle: float = Field(default=10, gt=0)
    body_idle: float = Field(default=30, gt=0)
    body_total: float = Field(default=300, gt=0)
    keep_alive: float = Field(default=75, gt=0)
    in_flight: int = Field(default=1000, gt=0)
    held: SizeText = 256 << 20
    grace: float = Field(default=0.2, ge=0)
    drain: float = Field(default=60, ge=0)


class TlsSettings(BaseModel):
    """The data plane's certificate (its chain, the server's own first) and private key, PEM files without a password.
    Changed files are taken up within a second.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    certificate: Path
    key: Path


class MutualTlsSettings(TlsSettings):
    """A certificate of one's own, and the authority (PEM) whose certificates the other side has to show one of."""

    authority: Path


class Listener(BaseModel):
    """Where the data plane listens. Port 0 takes any free one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)


class ProxyListener(Listener):
    """Where the data plane listens, with TLS where `tls` says so; without it something in front speaks TLS."""

    tls: TlsSettings | None = None
