"""Decisions into the table that everything reads."""

from typing import Final

from storage.decisions.writer import PostgresSink
from storage.sink import POSTGRES, SinkFactory, SinkSettings, Surroundings
from storage.types import Sink


def _build(_settings: SinkSettings, surroundings: Surroundings) -> Sink:
    return PostgresSink(surroundings.database, surroundings.heads)


SINK: Final[SinkFactory[SinkSettings]] = SinkFactory(POSTGRES, SinkSettings, _build)
