"""What tests of bodies, keys and subjects share: records with bodies, shipped as the writer ships them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import orjson

from storage.decisions.writer import PostgresSink
from storage.keys.data_keys import DataKey
from storage.keys.sealed_body import BodyPlace, seal
from storage.postgres import Database
from storage.subjects import subject_hash, subject_key
from storage.types import DecisionRecord

CONTENT_KEY = bytes(range(32))
STRONG = "0123456789abcdef" * 2


def tomorrow(days: int = 1) -> date:
    return datetime.now(UTC).date() + timedelta(days)


def with_body(
    record: DecisionRecord, key: DataKey, text: str, *, direction: str = "request", until: date | None = None
) -> DecisionRecord:
    """The record with one body."""
    body = seal(text.encode(), BodyPlace(record.id, direction, "encrypted"), key).as_json(until or tomorrow(30))
    return replace(record, bodies=orjson.dumps([body]).decode())


def about(record: DecisionRecord, *identifiers: str) -> DecisionRecord:
    """The record as one about these persons."""
    key = subject_key(CONTENT_KEY)
    return replace(record, subjects=tuple(subject_hash(key, identifier) for identifier in identifiers))


async def ship(database: Database, *records: DecisionRecord) -> None:
    """Write records as the control plane does."""
    await PostgresSink(database).write(records)
