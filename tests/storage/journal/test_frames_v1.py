"""What the first release wrote is still read, next to what this one writes."""

from __future__ import annotations

import zlib
from dataclasses import asdict, replace
from typing import Any

import orjson
import pytest

from storage.journal.frames import (
    CLOSED,
    FOREIGN,
    HOLE,
    OPENED,
    SEALED,
    closed_record,
    encode_closed,
    interrupted_record,
    scan,
)
from storage.types import DecisionRecord, Outcome
from tests.storage.journals import a_record

RECORD = a_record(degraded=("judge",))
YOUNGER = ("personal", "personal_digest", "subjects", "bodies", "canonical")


def old_frame(content: bytes) -> bytes:
    return b"PSJ1" + len(content).to_bytes(4) + zlib.crc32(content).to_bytes(4) + content


def old_content(record: DecisionRecord, kind: str, **changes: object) -> bytes:
    fields: dict[str, Any] = {name: value for name, value in asdict(record).items() if name not in YOUNGER} | changes
    return orjson.dumps({"v": 1, "i": "i1", "f": 1, "n": 1, "k": kind, "r": fields})


@pytest.mark.parametrize(("kind", "expected"), [("opened", OPENED), ("closed", CLOSED)])
def test_a_record_of_the_first_release_is_read(kind: str, expected: int) -> None:
    record = replace(RECORD, outcome=Outcome.INTERRUPTED)
    frame = old_frame(old_content(record, kind))
    ((found, id_, decisions, start, end),) = scan(frame, final=False)
    assert (found, id_, decisions, start, end) == (expected, record.id.encode(), 0, 0, len(frame))
    assert closed_record(frame) == interrupted_record(frame) == record


def test_both_versions_lie_in_one_folder() -> None:
    old, new = old_frame(old_content(RECORD, "closed")), encode_closed(RECORD, 1)
    assert [part[0] for part in scan(old + new + old, final=True)] == [CLOSED, SEALED, CLOSED]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", old_content(RECORD, "reopened"), old_content(RECORD, "closed", a_column_of_tomorrow=1)],
)
def test_what_is_no_record_is_foreign(content: bytes) -> None:
    frame = old_frame(content)
    assert [part[0] for part in scan(frame + encode_closed(RECORD, 1), final=False)] == [FOREIGN, SEALED]


def test_damage_to_an_old_record_is_a_hole() -> None:
    frame = bytearray(old_frame(old_content(RECORD, "closed")))
    frame[40] ^= 1
    assert [part[0] for part in scan(bytes(frame) + encode_closed(RECORD, 1), final=False)] == [HOLE, SEALED]
