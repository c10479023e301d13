"""A reader: every decision once and in order, wherever it begins, whatever died or tore in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import orjson
import pytest

from storage.journal import reader as room
from storage.journal.folder import segment_name
from storage.journal.frames import LONGEST, encode_closed, encode_opened
from storage.journal.positions import Position
from storage.journal.reader import BATCH, JournalReader
from storage.types import DecisionRecord, Outcome
from tests.storage.conftest import OpenJournal
from tests.storage.journals import a_record, as_values, files, framed, opened_of, records_in

LIVING: Final = frozenset[str]()
Lay = Callable[..., Path]


@pytest.fixture
def lay(folder: Path) -> Lay:
    """Lay the bytes of a segment of writer `w`."""
    folder.mkdir()

    def lay_one(*parts: bytes, number: int = 1) -> Path:
        file = folder / segment_name("w", number)
        file.write_bytes(b"".join(parts))
        return file

    return lay_one


def closed(number: int, **given: object) -> bytes:
    return encode_closed(a_record(number, **given), number)


def opened(record: DecisionRecord, decisions: int = 0) -> bytes:
    return encode_opened(opened_of(record), decisions)


def read_all(reader: JournalReader, dead: frozenset[str] = LIVING) -> list[int]:
    """Tenants of the records in the order of reading: tests number their records by tenant."""
    found: list[int] = []
    while (batch := reader.read(dead)).records:
        found += [record.tenant_id for record in batch.records]
    return found


def position(reader: JournalReader, writer: str = "w") -> Position:
    return reader.read(LIVING).progress.positions[writer]


# --- the ordinary way ---------------------------------------------------------------------------------------------


async def test_what_closed_is_read_once_and_in_order(open_journal: OpenJournal, folder: Path) -> None:
    journal, reader = open_journal(segment_size=3000), JournalReader(folder, {})
    for number in range(1, 41):
        record = a_record(number)
        journal.opened(opened_of(record))
        await journal.closed(record)
    assert read_all(reader) == list(range(1, 41))
    assert len(files(folder)) > 3
    assert reader.read(LIVING).records == []


async def test_a_batch_is_bounded(lay: Lay, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PIECE", 5000)
    lay(*(closed(number) for number in range(1, BATCH + 12)))
    reader = JournalReader(folder, {})
    assert [len(reader.read(LIVING).records) for _ in range(3)] == [BATCH, 11, 0]


def test_a_batch_is_bounded_in_bytes_as_well(lay: Lay, folder: Path) -> None:
    lay(*(closed(number, bodies="x" * (3 << 20)) for number in range(1, 5)))
    assert len(JournalReader(folder, {}).read(LIVING).records) == 3


@pytest.mark.parametrize("piece", [600, 700, 5000])
def test_records_longer_than_what_is_read_at_once_come_whole(
    lay: Lay, folder: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(room, "PIECE", piece)
    lay(*(closed(number, facts="x" * 700 * (number % 3)) for number in range(1, 9)))
    assert read_all(JournalReader(folder, {})) == list(range(1, 9))


def test_no_writer_keeps_another_waiting(lay: Lay, folder: Path) -> None:
    lay(*(closed(number) for number in range(1, 3 * BATCH)))
    (folder / segment_name("x", 1)).write_bytes(closed(9999))
    reader = JournalReader(folder, {})
    assert 9999 in [record.tenant_id for _ in range(2) for record in reader.read(LIVING).records]


def test_reading_can_be_restricted_to_some_writers(lay: Lay, folder: Path) -> None:
    lay(closed(1))
    (folder / segment_name("x", 1)).write_bytes(closed(2))
    reader = JournalReader(folder, {})
    assert [record.tenant_id for record in reader.read(LIVING, before={"x": 99, "gone": 99}).records] == [2]
    assert read_all(reader) == [1]


def test_half_a_record_of_a_living_writer_is_waited_for(lay: Lay, folder: Path) -> None:
    reader = JournalReader(folder, {})
    lay(closed(1), closed(2)[:-1])
    assert read_all(reader) == [1]
    lay(closed(1)[:-1])  # it may even be taken back
    lay(closed(1), closed(2))
    assert read_all(reader) == [2]
    assert reader.read(LIVING).progress.torn == frozenset()


def test_one_bad_folder_does_not_stop_the_other_writers(lay: Lay, folder: Path) -> None:
    lay(closed(1))
    (folder / segment_name("a", 1)).mkdir()
    reader = JournalReader(folder, {})
    assert read_all(reader) == [1]
    assert reader.failures > 0


# --- the dead -----------------------------------------------------------------------------------------------------


def test_what_a_dead_writer_left_open_was_interrupted(lay: Lay, folder: Path) -> None:
    first, second, third = (a_record(number) for number in (1, 2, 3))
    lay(opened(first), opened(second), encode_closed(first, 1), opened(third, 1))
    reader = JournalReader(folder, {})
    assert read_all(reader) == [1]
    assert reader.read(LIVING).progress.finished == frozenset()
    batch = reader.read(frozenset("w"))
    assert [(r.id, r.outcome) for r in records_in(batch)] == [
        (second.id, Outcome.INTERRUPTED), (third.id, Outcome.INTERRUPTED),
    ]  # fmt: skip
    assert (batch.interrupted, batch.progress.finished) == (2, frozenset("w"))


def test_more_interrupted_than_a_batch_holds_come_in_several(lay: Lay, folder: Path) -> None:
    lay(*(opened(a_record(number)) for number in range(1, BATCH + 3)))
    reader, dead = JournalReader(folder, {}), frozenset("w")
    assert len(reader.read(dead).records) == BATCH
    resumed = JournalReader(folder, reader._progress(["w"]).positions)
    assert [record.tenant_id for record in resumed.read(dead).records] == [BATCH + 1, BATCH + 2]


def test_an_exchange_may_close_in_a_later_segment(lay: Lay, folder: Path) -> None:
    record = a_record(1)
    lay(opened(record))
    lay(encode_closed(record, 1), number=2)
    assert read_all(JournalReader(folder, {}), frozenset("w")) == [1]


# --- restarts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delivered", range(7))
def test_a_new_reader_goes_on_where_the_last_one_was(
    lay: Lay, folder: Path, monkeypatch: pytest.MonkeyPatch, delivered: int
) -> None:
    monkeypatch.setattr(room, "BATCH", 1)
    records = [a_record(number) for number in range(1, 7)]
    for number in range(3):
        left, right = records[2 * number : 2 * number + 2]
        lay(opened(left), opened(right), encode_closed(left, 1), encode_closed(right, 2), number=number + 1)
    lay(opened(a_record(7)), number=4)
    reader, dead = JournalReader(folder, {}), frozenset("w")
    for _ in range(delivered):
        reader.read(dead)
    resumed = JournalReader(folder, reader._progress(["w"]).positions)
    assert read_all(resumed, dead) == list(range(delivered + 1, 8))


def test_what_was_opened_before_the_position_is_known_again(lay: Lay, folder: Path) -> None:
    record = a_record(1)
    lay(opened(record), closed(2))
    before = JournalReader(folder, {})
    assert read_all(before) == [2]
    resumed = JournalReader(folder, {"w": position(before)})
    assert read_all(resumed, frozenset("w")) == [1]


def test_where_a_reader_stands_does_not_go_back_while_it_reads_again(lay: Lay, folder: Path) -> None:
    lay(closed(1))
    stood = {"w": Position(5, 100, 0, 40)}
    progress = JournalReader(folder, stood).read(LIVING).progress
    assert progress.positions == stood
    assert "w" not in progress.open  # nothing may be removed on the ground of what it knows


def test_positions_of_writers_that_are_gone_are_forgotten(lay: Lay, folder: Path) -> None:
    lay(closed(1))
    reader = JournalReader(folder, {"gone": Position(1, 2)})
    assert reader.read(LIVING).progress.positions.keys() == {"w"}


# --- damage -------------------------------------------------------------------------------------------------------


def test_damage_in_a_living_writers_segment_costs_only_itself(lay: Lay, folder: Path) -> None:
    broken = bytearray(closed(2))
    broken[60] ^= 1
    lay(closed(1), bytes(broken), opened(a_record(9), 2), closed(3))
    reader = JournalReader(folder, {})
    assert read_all(reader) == [1, 3]
    assert reader.missing == 1
    assert reader.read(LIVING).progress.torn == {("w", 1)}


def test_a_torn_end_is_noticed_once_nothing_more_can_come(lay: Lay, folder: Path) -> None:
    lay(closed(1), closed(2)[:-1])
    reader = JournalReader(folder, {})
    assert read_all(reader) == [1]
    lay(closed(4), number=2)  # the writer has gone on
    assert read_all(reader) == [4]
    assert reader.missing == 2
    assert reader.read(LIVING).progress.torn == {("w", 1)}


def test_a_desert_of_damage_is_crossed(lay: Lay, folder: Path) -> None:
    lay(closed(1), (b"PSJ2" + bytes(996)) * (LONGEST // 500), closed(2))
    reader = JournalReader(folder, {})
    assert read_all(reader) == [1, 2]
    assert reader.missing == 0


def test_what_another_version_wrote_is_handed_over_legibly(lay: Lay, folder: Path) -> None:
    younger = as_values(a_record(1), 1)
    content = younger[12:-1] + b',"a column of tomorrow"]'
    lay(closed(2), framed(content), closed(3), framed(bytes(25)))
    batch = JournalReader(folder, {}).read(LIVING)
    assert [record.tenant_id for record in batch.records] == [2, 3]
    assert orjson.loads(batch.foreign[0])["more"] == ["a column of tomorrow"]
    assert batch.foreign[1] == b""
