"""A courier: what its sink takes, refuses, misses or has to wait for, counted to the last decision."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from storage.journal import courier as room
from storage.journal.courier import Courier
from storage.journal.folder import segment_name
from storage.journal.frames import encode_closed
from storage.journal.journal import Journal
from storage.types import DecisionRecord
from tests.storage.conftest import OpenJournal
from tests.storage.journals import Graves, Shelf, a_record, framed, opened_of

LIVING: Final = frozenset[str]()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


class Hanging(Shelf):
    """It takes what it is given and never says so."""

    def __init__(self) -> None:
        super().__init__("hanging")
        self.begun, self.left = asyncio.Event(), asyncio.Event()

    async def write(self, records: Sequence[DecisionRecord]) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()


async def write(journal: Journal, count: int) -> list[str]:
    records = [a_record(number) for number in range(1, count + 1)]
    for record in records:
        journal.opened(opened_of(record))
        await journal.closed(record)
    return [record.id for record in records]


async def test_what_closed_arrives_once_over_a_restart(open_journal: OpenJournal, folder: Path, shelf: Shelf) -> None:
    journal = open_journal(segment_size=3000)
    ids = await write(journal, 20)
    await Courier(folder, shelf).drain(LIVING)
    ids += await write(journal, 5)
    await Courier(folder, shelf).drain(LIVING)
    assert shelf.ids == ids


async def test_a_crash_repeats_the_batch_in_flight_and_no_more(
    open_journal: OpenJournal, folder: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.journal.reader.BATCH", 4)
    ids = await write(open_journal(), 10)
    courier = Courier(folder, shelf)
    await courier.step(LIVING)
    monkeypatch.setattr(room, "save_positions", crash)
    with pytest.raises(RuntimeError):
        await courier.step(LIVING)
    monkeypatch.undo()
    await Courier(folder, shelf).drain(LIVING)
    assert shelf.ids == ids[:8] + ids[4:]


def crash(*_: object) -> None:
    raise RuntimeError


async def test_while_the_sink_is_away_everything_waits(open_journal: OpenJournal, folder: Path, shelf: Shelf) -> None:
    ids = await write(open_journal(), 3)
    courier = Courier(folder, shelf, clock=lambda: 1_800_000_010.25)
    shelf.away = True
    for _ in range(3):
        assert await courier.step(LIVING) == 0
    courier.measure({})
    assert (courier.counts.failures, courier.counts.lag, courier.counts.lag_seconds) == (3, 3, 10.0)
    shelf.away = False
    await courier.drain(LIVING)
    courier.measure({})
    assert (shelf.ids, courier.counts.lag, courier.counts.lag_seconds) == (ids, 0, 0.0)


async def test_a_sink_that_is_away_is_asked_less_and_less(open_journal: OpenJournal, folder: Path) -> None:
    shelf = Shelf()
    await write(open_journal(), 1)
    courier, pauses = Courier(folder, shelf), []
    shelf.away = True
    for _ in range(9):
        await courier.step(LIVING)
        pauses.append(courier.pause)
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0]
    shelf.away = False
    await courier.step(LIVING)
    assert courier.pause == 0.0


async def test_a_clock_that_jumps_back_makes_no_negative_lag(open_journal: OpenJournal, folder: Path) -> None:
    shelf = Shelf()
    await write(open_journal(), 1)
    shelf.away = True
    courier = Courier(folder, shelf, clock=lambda: 0.0)
    await courier.step(LIVING)
    courier.measure({})
    assert courier.counts.lag_seconds == 0.0


@pytest.mark.parametrize("poisoned", [{1}, {3, 4, 17}, {20}, set(range(1, 21))])
async def test_poison_is_set_apart_and_the_rest_arrives_in_order(
    open_journal: OpenJournal, folder: Path, shelf: Shelf, poisoned: set[int]
) -> None:
    shelf.poison = lambda record: record.tenant_id in poisoned
    ids, graves = await write(open_journal(), 20), Graves()
    courier = Courier(folder, shelf, graves)
    await courier.drain(LIVING)
    assert shelf.ids == [id_ for number, id_ in enumerate(ids, 1) if number not in poisoned]
    assert [reason for _, reason in graves.letters] == ["poison"] * len(poisoned)
    assert (courier.counts.shipped, courier.counts.refused) == (20 - len(poisoned), len(poisoned))
    assert shelf.tries < 20 + 12 * len(poisoned)


async def test_nothing_is_forgotten_while_dead_letters_cannot_be_written(
    open_journal: OpenJournal, folder: Path, shelf: Shelf
) -> None:
    ids, graves = await write(open_journal(), 3), Graves()
    shelf.poison, graves.away = (lambda record: record.tenant_id == 2), True
    courier = Courier(folder, shelf, graves)
    await courier.drain(LIVING)
    assert (shelf.ids, courier.counts.refused) == (ids[:1], 0)
    graves.away = False
    await courier.drain(LIVING)
    assert (shelf.ids, courier.counts.refused) == ([ids[0], ids[2]], 1)


def lay(folder: Path, segment: bytes) -> None:
    folder.mkdir()
    (folder / segment_name("w", 1)).write_bytes(segment)


async def test_what_nobody_can_read_is_a_dead_letter_and_nothing_to_the_others(folder: Path, shelf: Shelf) -> None:
    whole = encode_closed(a_record(), 1)
    lay(folder, framed(whole[12:37] + b"[1]") + whole)
    graves, other = Graves(), Shelf("other")
    for courier in (Courier(folder, shelf, graves), Courier(folder, other)):
        await courier.drain(LIVING)
        assert (courier.counts.shipped, courier.counts.refused) == (1, 1)
    assert [reason for _, reason in graves.letters] == [room.UNREADABLE]


# --- falling behind -----------------------------------------------------------------------------------------------


async def test_who_skips_counts_what_is_lost_to_the_last_decision(
    open_journal: OpenJournal, folder: Path, shelf: Shelf
) -> None:
    journal = open_journal(segment_size=3000)
    ids = await write(journal, 30)
    courier = Courier(folder, shelf)
    shelf.away = True
    await courier.step(LIVING)
    courier.skip({journal.writer: 5})
    await courier.drain(LIVING)
    shelf.away = False
    ids += await write(journal, 3)
    await courier.drain(LIVING)
    assert len(shelf.ids) + courier.counts.lost == 33
    assert shelf.ids == ids[courier.counts.lost :]


async def test_who_skips_one_writers_oldest_gives_up_nothing_of_others(
    open_journal: OpenJournal, folder: Path, shelf: Shelf
) -> None:
    one, other = open_journal(segment_size=3000), open_journal(segment_size=1 << 20)
    ids = await write(one, 12)
    theirs = await write(other, 20)
    courier = Courier(folder, shelf)
    shelf.away = True
    await courier.step(LIVING)
    courier.skip({one.writer: 2})
    await courier.step(LIVING)
    shelf.away = False
    await courier.drain(LIVING)

    assert 0 < courier.counts.lost < 12
    assert [decision for decision in shelf.ids if decision in ids] == ids[courier.counts.lost :]
    assert [decision for decision in shelf.ids if decision in theirs] == theirs


async def test_a_write_that_hangs_is_given_up_when_others_need_the_room(
    open_journal: OpenJournal, folder: Path
) -> None:
    hanging, journal = Hanging(), open_journal(segment_size=3000)
    await write(journal, 10)
    courier = Courier(folder, hanging)
    running = asyncio.ensure_future(courier.run_forever(lambda: LIVING))
    await hanging.begun.wait()
    courier.skip({journal.writer: 2})
    await hanging.left.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await courier.step(LIVING)
    assert 0 < courier.counts.lost < 10


async def test_a_write_has_so_much_time_and_no_more(
    open_journal: OpenJournal, folder: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_records: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(room, "PATIENCE", 0.001)
    monkeypatch.setattr(shelf, "write", never)
    await write(open_journal(), 1)
    courier = Courier(folder, shelf)
    assert await courier.step(LIVING) == 0
    assert courier.counts.failures == 1


async def test_a_position_that_cannot_be_kept_stops_nothing(
    open_journal: OpenJournal, folder: Path, shelf: Shelf
) -> None:
    ids = await write(open_journal(), 2)
    (folder / "shelf.new").mkdir()  # so the file beside it cannot be written
    courier = Courier(folder, shelf)
    await courier.drain(LIVING)
    assert (shelf.ids, courier.counts.failures) == (ids, 1)


async def test_who_is_cancelled_goes_on_where_it_was(open_journal: OpenJournal, folder: Path, shelf: Shelf) -> None:
    journal, courier, ids = open_journal(segment_size=3000), Courier(folder, shelf), []
    for turn in range(40):
        ids += await write(journal, 1)
        stepping = asyncio.ensure_future(courier.step(LIVING))
        for _ in range(turn):
            await asyncio.sleep(0)
        stepping.cancel()
        await asyncio.gather(stepping, return_exceptions=True)
    await courier.drain(LIVING)
    assert shelf.ids == ids
