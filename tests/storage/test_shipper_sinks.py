"""The shipper's house: segments that tore, and several sinks, of which none waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from storage.journal.folder import journal_size, segment_name
from storage.journal.journal import Journal
from storage.journal.shipper import Shipper
from storage.types import DecisionRecord
from tests.storage.conftest import OpenJournal, Rows, RunStatement, Write
from tests.storage.journals import Graves, Shelf, a_record, files, framed, numbers, opened_of, ship_all

# --- damage -------------------------------------------------------------------------------------------------------


async def test_a_torn_segment_is_kept_and_counted(
    open_journal: OpenJournal, shipper: Shipper, write: Write, rows: Rows, folder: Path
) -> None:
    journal = open_journal()
    ids = {await write(journal) for _ in range(3)}
    journal.close()
    file = folder / files(folder)[0]
    content = file.read_bytes()
    file.write_bytes(content + content[: len(content) // 20])
    await ship_all(shipper)
    assert (await rows()).keys() == ids
    assert shipper.counts.torn_segments == 1
    assert files(folder, "") == [file.with_suffix(".torn").name]
    assert len(file.with_suffix(".torn").read_bytes()) > len(content)


async def test_damage_in_one_segment_leaves_the_others_whole(
    open_journal: OpenJournal, shipper: Shipper, write: Write, rows: Rows, folder: Path
) -> None:
    journal = open_journal(segment_size=1)
    ids = [await write(journal) for _ in range(3)]
    damaged = folder / files(folder)[3]  # where the second exchange closed
    content = bytearray(damaged.read_bytes())
    content[100] ^= 1
    damaged.write_bytes(content)
    await ship_all(shipper)
    assert files(folder, ".torn") == [damaged.with_suffix(".torn").name]
    journal.close()
    await ship_all(shipper)
    assert await rows() == {ids[0]: "answered", ids[1]: "interrupted", ids[2]: "answered"}
    assert (shipper.counts.torn_segments, shipper.counts.missing) == (1, 1)


async def test_what_another_version_wrote_becomes_a_dead_letter(
    open_journal: OpenJournal, shipper: Shipper, write: Write, rows: Rows, folder: Path, as_superuser: RunStatement
) -> None:
    await as_superuser("DELETE FROM private.dead_letters")
    journal = open_journal()
    ids = {await write(journal)}
    with (folder / segment_name(journal.writer, 1)).open("ab") as opened:
        opened.write(framed(b"\x02" + bytes(24) + b'["a"]'))
    ids.add(await write(journal))
    assert await ship_all(shipper) == 3
    assert (await rows()).keys() == ids
    assert await as_superuser("SELECT record->>'id', reason FROM private.dead_letters") == [
        ("a", "no record that this version can read")
    ]
    assert shipper.counts.torn_segments == 0


async def test_a_segment_that_somebody_removed_is_no_reason_to_stop(
    open_journal: OpenJournal, shipper: Shipper, write: Write, rows: Rows, folder: Path
) -> None:
    journal = open_journal(segment_size=1)
    ids = [await write(journal, close=False), await write(journal)]
    await shipper.ship_once()
    for name in files(folder):
        (folder / name).unlink()
    journal.close()
    await ship_all(shipper)
    assert await rows() == {ids[0]: "interrupted", ids[1]: "answered"}
    assert files(folder, "") == []


# --- several sinks ------------------------------------------------------------------------------------------------


async def write_some(journal: Journal, count: int, *, close: bool = True) -> list[str]:
    records = [a_record() for _ in range(count)]
    for record in records:
        journal.opened(opened_of(record))
        if close:
            await journal.closed(record)
    return [record.id for record in records]


async def test_a_sink_that_is_away_keeps_its_decisions_and_nobody_else(open_journal: OpenJournal, folder: Path) -> None:
    record, slow, journal = Shelf("record"), Shelf("slow"), open_journal(segment_size=3500)
    slow.away = True
    shipper = Shipper(folder, [record, slow], Graves())
    ids = await write_some(journal, 20)
    await shipper.drain()
    assert (record.ids, slow.ids) == (ids, [])
    assert (shipper.counts.sinks["record"].lag, shipper.counts.sinks["slow"].lag) == (0, 20)
    assert len(files(folder)) == 3
    slow.away = False
    await shipper.drain()
    assert slow.ids == ids
    assert numbers(folder)[0] == 0
    assert len(files(folder)) == 2


async def test_a_sink_that_lags_never_fills_the_journal_and_knows_what_it_lost(
    open_journal: OpenJournal, folder: Path
) -> None:
    record, slow, journal = Shelf("record"), Shelf("slow"), open_journal(segment_size=3500)
    slow.away = True
    shipper = Shipper(folder, [record, slow], Graves(), disk_limit=40_000)
    ids = []
    for _ in range(10):
        ids += await write_some(journal, 10)
        await shipper.ship_once()
        await shipper.ship_once()
        assert journal_size(folder) < 20_000 + 2 * 3000 + 10 * 2000
    slow.away = False
    await shipper.drain()
    lost = shipper.counts.sinks["slow"].lost
    assert record.ids == ids
    assert 0 < lost < 100
    assert slow.ids == ids[lost:]
    assert shipper.counts.sinks["record"].lost == 0


async def test_what_only_the_sink_of_record_wants_is_never_skipped(open_journal: OpenJournal, folder: Path) -> None:
    record, other, journal = Shelf("record"), Shelf("other"), open_journal(segment_size=3500)
    record.away = True
    shipper = Shipper(folder, [record, other], Graves(), disk_limit=1)
    ids = await write_some(journal, 20)
    await ship_all(shipper)
    assert (record.ids, other.ids) == ([], ids)
    record.away = False
    await ship_all(shipper)
    assert record.ids == ids
    assert [counts.lost for counts in shipper.counts.sinks.values()] == [0, 0]


async def test_each_sink_hears_of_the_interrupted_in_its_own_time(open_journal: OpenJournal, folder: Path) -> None:
    record, slow, journal = Shelf("record"), Shelf("slow"), open_journal(segment_size=1)
    cut = await write_some(journal, 2, close=False)
    ids = await write_some(journal, 2)
    journal.close()
    slow.away = True
    shipper = Shipper(folder, [record, slow], Graves())
    await shipper.drain()
    assert record.ids == [*ids, *cut]
    slow.away = False
    await Shipper(folder, [record, slow], Graves()).drain()  # the first one holds the lock of the dead still
    assert slow.ids == ids
    await shipper.close()
    await Shipper(folder, [record, slow], Graves()).drain()
    assert slow.ids == [*ids, *cut]
    assert files(folder, "") == []


async def test_a_dead_writers_decisions_too_can_be_lost_to_a_sink_that_lags(
    open_journal: OpenJournal, folder: Path
) -> None:
    record, slow, journal = Shelf("record"), Shelf("slow"), open_journal()
    slow.away = True
    await write_some(journal, 3)
    await write_some(journal, 2, close=False)
    journal.close()
    shipper = Shipper(folder, [record, slow], Graves(), disk_limit=1000)
    for _ in range(3):
        await shipper.ship_once()
    assert (len(record.ids), shipper.counts.sinks["slow"].lost) == (5, 5)
    assert files(folder, "") == []


async def test_a_folder_that_cannot_be_written_to_is_counted_and_survived(
    open_journal: OpenJournal, folder: Path
) -> None:
    record, journal = Shelf("record"), open_journal(segment_size=1)
    ids = await write_some(journal, 2)
    shipper = Shipper(folder, [record], Graves())
    (folder / f"{journal.writer}.000000.new").mkdir()
    await shipper.drain()
    assert (record.ids, shipper.counts.file_failures) == (ids, 1)
    assert len(files(folder)) == 4
    (folder / f"{journal.writer}.000000.new").rmdir()
    await shipper.drain()
    assert numbers(folder) == [0, 4]


async def test_a_sink_that_breaks_down_stops_no_other(open_journal: OpenJournal, folder: Path) -> None:
    class Broken(Shelf):
        async def write(self, records: Sequence[DecisionRecord]) -> None:
            raise KeyError

    record, journal = Shelf("record"), open_journal()
    ids = await write_some(journal, 3)
    shipper = Shipper(folder, [record, Broken("broken")], Graves())
    await shipper.drain()
    running = asyncio.ensure_future(shipper.run_forever())
    record.something.clear()
    ids += await write_some(journal, 3)
    await record.something.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert record.ids == ids
    assert shipper.counts.sinks["broken"].failures == 2


async def test_a_bad_file_does_not_keep_other_writers_segments_from_going(
    open_journal: OpenJournal, folder: Path
) -> None:
    record, journal = Shelf("record"), open_journal(segment_size=1)
    (folder / segment_name("0", 1)).mkdir()
    ids = await write_some(journal, 2)
    shipper = Shipper(folder, [record], Graves())
    await shipper.drain()
    assert record.ids == ids
    assert shipper.counts.file_failures > 0
    assert len(files(folder)) == 3


async def test_sinks_are_let_go_of(folder: Path) -> None:
    sinks = [Shelf("record"), Shelf("other")]
    await Shipper(folder, sinks, Graves()).close()
    assert all(sink.closed for sink in sinks)


async def test_shipping_goes_on_by_itself(open_journal: OpenJournal, folder: Path) -> None:
    record, journal = Shelf("record"), open_journal()
    ids = await write_some(journal, 3)
    shipper = Shipper(folder, [record], Graves())
    running = asyncio.ensure_future(shipper.run_forever())
    await record.something.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert record.ids == ids
