"""What a module of `sinks/` offers, finding it by the name that the settings give, and building all of them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

import storage.sinks
from detectors.documents import Document, nearest
from storage.chains.chain import RememberedHeads
from storage.postgres import Database
from storage.types import Sink

POSTGRES: Final = "postgres"  # the sink of record: always there, and nobody has to list it


class SinkSettings(BaseModel):
    """What every entry of `sinks:` has. `name` is what metrics and errors call the sink; by default its type."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    type: str
    name: str = Field(default="", pattern=r"^([a-z][a-z0-9-]{0,38})?$")

    @property
    def label(self) -> str:
        return self.name or self.type


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a sink may need of the process that it runs in; `folder` is where sinks keep files of their own, and `heads`
    what this process has seen committed of the chains.
    """

    database: Database
    folder: Path
    heads: RememberedHeads = field(default_factory=RememberedHeads)


Given = TypeVar("Given", bound=SinkSettings)


@dataclass(frozen=True, slots=True)
class SinkFactory(Generic[Given]):
    """`build` does no I/O yet; a destination that is away is the first `write`'s to say."""

    name: str
    settings: type[Given]
    build: Callable[[Given, Surroundings], Sink]


def sink_types() -> tuple[str, ...]:
    """Return the types that settings may name, in alphabetical order, without loading any of them."""
    modules = (module.name for module in pkgutil.iter_modules(storage.sinks.__path__))
    return tuple(sorted(name for name in modules if not name.startswith("_") and name != POSTGRES))


def load_sink(type_name: str) -> SinkFactory[Any]:
    """Import one sink's module and return what it offers: some carry libraries that nobody else should pay for."""
    module = importlib.import_module(f"{storage.sinks.__name__}.{type_name}")
    offer: SinkFactory[Any] = module.SINK
    return offer


def models_of(document: Document) -> tuple[type[SinkSettings], ...]:
    """Return the settings model of each entry of `sinks:`, in order.

    Raises the document's error for an entry that is no mapping, has no type or one that does not exist.
    """
    entries = document.content.get("sinks") or ()
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise document.complain(("sinks",), "sinks: expected a list")
    return tuple(_model_of(entry, index, document) for index, entry in enumerate(entries))


def _model_of(entry: object, index: int, document: Document) -> type[SinkSettings]:
    known = sink_types()
    if not isinstance(entry, Mapping):
        raise document.complain(("sinks", index), f"sinks.{index}: expected a mapping with a type", of_key=False)
    given = entry.get("type")
    if given is None:
        raise document.complain(("sinks", index), "missing key 'type'", of_key=False)
    if given not in known:
        problem = f"unknown sink type '{given}'{nearest(str(given), known)}; there are {', '.join(known)}"
        raise document.complain(("sinks", index, "type"), problem)
    return load_sink(str(given)).settings


def refuse_equal_names(sinks: Sequence[SinkSettings]) -> None:
    """Raise ValueError if two sinks would be told apart by nothing."""
    labels = [POSTGRES, *(sink.label for sink in sinks)]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ValueError(f"two sinks are called {', '.join(twice)}: give each a name of its own")


def build_sinks(surroundings: Surroundings, configured: Sequence[SinkSettings] = ()) -> tuple[Sink, ...]:
    """Build the sink of record and, after it, the configured ones in their order; each gets every decision."""
    record = load_sink(POSTGRES)
    others = tuple(load_sink(settings.type).build(settings, surroundings) for settings in configured)
    return (record.build(record.settings(type=POSTGRES), surroundings), *others)
