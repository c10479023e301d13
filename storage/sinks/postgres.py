"""Decisions into the table that everything reads."""

from typing import Final

from storage.decisions import PostgresSink
from storage.postgres import Database
from storage.sink import SinkFactory
from storage.types import Sink


class PostgresSinkFactory:
    name = "postgres"

    def build(self, database: Database) -> Sink:
        return PostgresSink(database)


SINK: Final[SinkFactory] = PostgresSinkFactory()
