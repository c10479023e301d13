"""What a module of `sinks/` offers, and building all of them."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import storage.sinks
from detectors.discovery import discover
from storage.postgres import Database
from storage.types import Sink


@runtime_checkable
class SinkFactory(Protocol):
    @property
    def name(self) -> str: ...
    def build(self, database: Database) -> Sink: ...


def build_sinks(database: Database) -> tuple[Sink, ...]:
    """Build every sink there is; each gets every decision."""
    factories = discover(storage.sinks, "SINK", SinkFactory)  # type: ignore[type-abstract]
    return tuple(factory.build(database) for factory in factories)
