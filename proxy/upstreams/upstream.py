"""Towards the LLM service: what is asked of a pool, and which upstream serves a model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from proxy.settings import UpstreamSettings

LARGEST_ANSWER: Final = 32 << 20


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None


class UpstreamAnswer(Protocol):
    """An answer whose status and headers have arrived. Whoever has it must `close` it, read to the end or not."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    async def read(self) -> bytes:
        """Return the whole body. Raises UpstreamError, also beyond 32 MiB."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives. Raises UpstreamError."""

    def close(self) -> None: ...


class UpstreamPool(Protocol):
    async def send(self, upstream: UpstreamSettings, request: UpstreamRequest) -> UpstreamAnswer:
        """Send a request and wait for the answer's head. Raises UpstreamError."""

    async def close(self) -> None: ...


class Upstreams:
    """Which upstreams serve a model: those of a dialect whose patterns fit, the lowest priority number first."""

    def __init__(self, settings: Sequence[UpstreamSettings]) -> None:
        ordered = sorted(settings, key=lambda upstream: upstream.priority)
        self.all = tuple(ordered)
        self._by_dialect: dict[str, tuple[UpstreamSettings, ...]] = {
            dialect: tuple(upstream for upstream in ordered if upstream.dialect == dialect)
            for dialect in {upstream.dialect for upstream in ordered}
        }

    def serving(self, dialect: str, model: str) -> Sequence[UpstreamSettings]:
        """Return who serves a model, the first choice first; without a model, all of the dialect."""
        return [upstream for upstream in self.speaking(dialect) if not model or upstream.serves(model)]

    def speaking(self, dialect: str) -> Sequence[UpstreamSettings]:
        return self._by_dialect.get(dialect, ())
