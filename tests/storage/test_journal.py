"""The durable queue: what was written is read back, and damage is noticed without costing what lies before it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.errors import JournalError
from storage.journal import Envelope, Journal, RecordKind, Sync, Tail, journal_size, read_segment, segment_name
from storage.types import DecisionRecord, Outcome
from tests.storage.conftest import MakeRecord

OpenJournal = Callable[..., Journal]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def open_journal(folder: Path) -> Iterator[OpenJournal]:
    """Open journals in `folder` that are closed when the test is done."""
    opened: list[Journal] = []

    def open_one(sync: Sync = Sync.PROCESS, segment_size: int = 8 << 20, disk_limit: int = 1 << 30) -> Journal:
        opened.append(Journal(folder, "i1", sync, segment_size, disk_limit))
        return opened[-1]

    yield open_one
    for journal in opened:
        journal.close()


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jnl"))


def read(file: Path) -> list[tuple[RecordKind, DecisionRecord]]:
    tail = read_segment(file, 0)
    assert (tail.torn, tail.offset, tail.foreign) == (False, file.stat().st_size, ())
    return [(envelope.kind, envelope.record) for envelope in tail.envelopes]


def is_locked(file: Path) -> bool:
    with file.open() as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


# --- round trip ---------------------------------------------------------------------------------------------------


async def test_what_was_written_is_read_back_in_order(
    open_journal: OpenJournal, folder: Path, make_record: MakeRecord
) -> None:
    journal = open_journal()
    first, second = make_record(1), make_record(2, outcome=Outcome.BLOCKED_REQUEST, degraded=())
    journal.opened(first)
    await journal.closed(second)
    await journal.closed(first)
    assert read(*segments(folder)) == [
        (RecordKind.OPENED, first),
        (RecordKind.CLOSED, second),
        (RecordKind.CLOSED, first),
    ]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@given(
    text=st.text(st.characters(exclude_categories=["Cs"])),
    tokens=st.none() | st.integers(-(2**63), 2**63 - 1),
    number=st.floats(allow_nan=False, allow_infinity=False),
    outcome=st.sampled_from(Outcome),
    degraded=st.lists(st.text(st.characters(exclude_categories=["Cs"]))).map(tuple),
)
def test_any_record_comes_back_the_same(
    scratch: Path,
    some_record: DecisionRecord,
    text: str,
    tokens: int | None,
    number: float,
    outcome: Outcome,
    degraded: tuple[str, ...],
) -> None:
    record = replace(some_record, model=text, prompt_tokens=tokens, total_ms=number, outcome=outcome, degraded=degraded)
    journal = Journal(scratch, "i1")
    journal.opened(record)
    journal.close()
    (file,) = segments(scratch)
    assert read(file) == [(RecordKind.OPENED, record)]
    file.unlink()
    file.with_suffix("").with_suffix(".lock").unlink()


@pytest.fixture(scope="module")
def some_record() -> DecisionRecord:
    fields = dict.fromkeys(DecisionRecord.__slots__, "x")
    return DecisionRecord(**(fields | {"outcome": Outcome.ANSWERED, "degraded": ()}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields", [{"model": "\ud800"}, {"status": 2**80}, {"facts": "x" * (1 << 20)}], ids=["surrogate", "number", "1 MB"]
)
async def test_a_record_that_nobody_could_read_is_refused_and_leaves_no_trace(
    open_journal: OpenJournal, folder: Path, make_record: MakeRecord, fields: dict[str, object]
) -> None:
    journal, good = open_journal(), make_record(1)
    journal.opened(good)
    with pytest.raises(JournalError, match="a record"):
        await journal.closed(replace(good, **fields))  # type: ignore[arg-type]
    await journal.closed(good)
    assert read(*segments(folder)) == [(RecordKind.OPENED, good), (RecordKind.CLOSED, good)]


# --- damage -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def frames(scratch: Path, some_record: DecisionRecord) -> list[bytes]:
    """Eight records as they lie in a file."""
    journal = Journal(scratch / "frames", "i1")
    (file,) = segments(scratch / "frames")
    found = []
    for number in range(8):
        start = file.stat().st_size
        journal.opened(replace(some_record, model="m" * number * 7))
        found.append(file.read_bytes()[start:])
    journal.close()
    return found


def read_bytes(scratch: Path, content: bytes) -> tuple[Tail, bool]:
    """Read `content` as a segment; the second value says whether anything about it is noticed to be wrong."""
    file = scratch / "damaged.jnl"
    file.write_bytes(content)
    tail = read_segment(file, 0)
    return tail, tail.torn or tail.offset < len(content)


@given(data=st.data())
def test_a_torn_tail_is_noticed_and_nothing_before_it_lost(
    scratch: Path, frames: list[bytes], data: st.DataObject
) -> None:
    content = b"".join(frames)
    cut = data.draw(st.integers(0, len(content)))
    tail, noticed = read_bytes(scratch, content[:cut])
    whole = [sum(map(len, frames[:count])) <= cut for count in range(1, len(frames) + 1)].count(True)
    assert len(tail.envelopes) == whole
    assert tail.offset == sum(map(len, frames[:whole]))
    assert noticed == (tail.offset < cut)
    assert not tail.torn  # the rest may still be on its way


@given(data=st.data())
def test_a_changed_byte_is_noticed_and_nothing_before_it_lost(
    scratch: Path, frames: list[bytes], data: st.DataObject
) -> None:
    content = bytearray(b"".join(frames))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    tail, noticed = read_bytes(scratch, bytes(content))
    untouched = [sum(map(len, frames[:count])) <= place for count in range(1, len(frames) + 1)].count(True)
    assert noticed
    assert [envelope.counter for envelope in tail.envelopes] == list(range(1, untouched + 1))


def test_reading_goes_on_where_it_ended_however_small_the_pieces(scratch: Path, frames: list[bytes]) -> None:
    file = scratch / "pieces.jnl"
    file.write_bytes(b"".join(frames))
    for limit in (1, len(frames[0]), len(frames[0]) + 1, 5000, 1 << 20):
        found: list[Envelope] = []
        offset = 0
        while (tail := read_segment(file, offset, limit)).offset > offset:
            found, offset = [*found, *tail.envelopes], tail.offset
        assert [envelope.counter for envelope in found] == list(range(1, 9))
        assert offset == file.stat().st_size


def test_what_another_version_wrote_is_handed_over_as_it_is(scratch: Path, frames: list[bytes]) -> None:
    def frame(payload: bytes) -> bytes:
        return b"PSJ1" + len(payload).to_bytes(4) + zlib.crc32(payload).to_bytes(4) + payload

    fields = orjson.loads(frames[0][12:])
    newer = orjson.dumps({**fields, "r": {**fields["r"], "a_column_of_tomorrow": 1}})
    foreign = [newer, b"[]", b"{", b"", b'{"k": "reopened"}']
    tail, noticed = read_bytes(scratch, b"".join([frames[0], *map(frame, foreign), frames[1]]))
    assert not noticed
    assert tail.foreign == tuple(foreign)
    assert [envelope.counter for envelope in tail.envelopes] == [1, 2]


def test_a_segment_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"journal gone\.jnl: No such file"):
        read_segment(tmp_path / "gone.jnl", 0)


# --- segments -----------------------------------------------------------------------------------------------------


def test_a_full_segment_is_followed_by_another(
    open_journal: OpenJournal, folder: Path, make_record: MakeRecord
) -> None:
    journal = open_journal(segment_size=1)
    records = [make_record(1) for _ in range(3)]
    for record in records:
        journal.opened(record)
    assert [read(file) for file in segments(folder)] == [[(RecordKind.OPENED, record)] for record in records]


def test_an_envelope_says_in_which_segment_it_lies(
    open_journal: OpenJournal, folder: Path, make_record: MakeRecord
) -> None:
    journal = open_journal(segment_size=3000)
    for _ in range(10):
        journal.opened(make_record(1))
    writer = segments(folder)[0].name.split(".")[0]
    assert len(segments(folder)) > 2
    for file in segments(folder):
        _, _, first = file.read_bytes().partition(b'{"v":')
        envelope = orjson.loads(b'{"v":' + first.split(b"PSJ1")[0])
        assert (file.name, envelope["i"]) == (segment_name(writer, envelope["f"]), "i1")


def test_segments_are_nobody_elses_to_read(open_journal: OpenJournal, folder: Path) -> None:
    open_journal()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_the_journal_of_an_instance_has_a_bound(
    open_journal: OpenJournal, folder: Path, make_record: MakeRecord
) -> None:
    """The segments that dead writers left count too."""
    folder.mkdir()
    left = folder / segment_name("dead", 1)
    left.write_bytes(b"x" * 100_000)
    journal = open_journal(segment_size=1, disk_limit=50_000)
    for _ in range(2):
        journal.opened(make_record(1))
    for _ in range(2):
        with pytest.raises(JournalError, match="full: decisions are not being shipped"):
            journal.opened(make_record(1))
    left.unlink()
    journal.opened(make_record(1))
    assert len(segments(folder)) == 3


def test_a_journal_that_is_shipped_goes_on_however_small_its_bound(
    open_journal: OpenJournal, folder: Path, make_record: MakeRecord
) -> None:
    journal, other = open_journal(segment_size=1, disk_limit=1), open_journal()
    other.opened(make_record(1))
    for _ in range(5):
        journal.opened(make_record(1))
        for shipped in sorted(folder.glob(f"{journal._writer}.*.jnl"))[:-1]:
            shipped.unlink()


def test_a_segment_that_cannot_be_opened_leaves_the_journal_able_to_go_on(
    open_journal: OpenJournal, folder: Path, make_record: MakeRecord
) -> None:
    journal = open_journal(segment_size=1)
    journal.opened(make_record(1))
    away = shutil.move(folder, folder.with_name("away"))
    for _ in range(2):
        with pytest.raises(JournalError, match="No such file"):
            journal.opened(make_record(1))
    shutil.move(away, folder)
    journal.opened(make_record(1))
    assert [len(read(file)) for file in segments(folder)] == [1, 1]


def test_the_size_of_a_journal_is_that_of_all_its_segments(tmp_path: Path) -> None:
    for name, size in (("a/w.000001.jnl", 3), ("b/w.000001.jnl", 4), ("b/w.000001.torn", 9), ("b/w.lock", 9)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / "a" / "gone.jnl").symlink_to("nowhere")
    assert journal_size(tmp_path) == 7
    assert journal_size(tmp_path / "missing") == 0


def test_a_journal_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="Not a directory"):
        Journal(tmp_path / "file" / "below", "i1")


# --- sync levels --------------------------------------------------------------------------------------------------


async def test_by_default_an_answer_does_not_wait_for_the_disk(
    open_journal: OpenJournal, folder: Path, make_record: MakeRecord
) -> None:
    journal = open_journal()
    await journal.closed(make_record(1))  # nobody flushes
    assert len(read(*segments(folder))) == 1


async def test_an_answer_can_wait_for_the_disk(open_journal: OpenJournal, make_record: MakeRecord) -> None:
    journal = open_journal(Sync.MACHINE)
    waiting = [asyncio.ensure_future(journal.closed(make_record(1))) for _ in range(3)]
    await asyncio.sleep(0.005)
    assert not any(task.done() for task in waiting)
    await journal._flush()
    await asyncio.gather(*waiting)


async def test_flushing_goes_on_through_rotations(
    open_journal: OpenJournal, folder: Path, make_record: MakeRecord
) -> None:
    journal = open_journal(Sync.MACHINE, segment_size=2000)
    flushing = asyncio.ensure_future(journal.flush_forever())

    async def client() -> None:
        for _ in range(10):
            await journal.closed(make_record(1))

    await asyncio.gather(*(client() for _ in range(8)))
    flushing.cancel()
    assert sum(len(read(file)) for file in segments(folder)) == 80
    assert len(segments(folder)) > 10


async def test_an_answer_is_not_given_when_the_disk_did_not_take_its_record(
    open_journal: OpenJournal, make_record: MakeRecord
) -> None:
    journal = open_journal(Sync.MACHINE)
    readable, writable = os.pipe()
    os.dup2(writable, journal._segment)  # a pipe takes what is written, and cannot be flushed
    waiting = asyncio.ensure_future(journal.closed(make_record(1)))
    await asyncio.sleep(0)
    await journal._flush()
    with pytest.raises(JournalError, match="did not take"):
        await waiting
    journal._open_segment()
    os.close(readable)
    os.close(writable)


async def test_nobody_waits_for_a_flush_that_was_cancelled(open_journal: OpenJournal, make_record: MakeRecord) -> None:
    journal = open_journal(Sync.MACHINE)
    waiting = asyncio.ensure_future(journal.closed(make_record(1)))
    await asyncio.sleep(0)
    flushing = asyncio.ensure_future(journal._flush())
    await asyncio.sleep(0)
    flushing.cancel()
    with pytest.raises(JournalError, match="did not take"):
        await waiting


# --- locks, full disks, violent deaths ----------------------------------------------------------------------------


def test_a_lock_is_held_as_long_as_its_writer_lives(open_journal: OpenJournal, folder: Path) -> None:
    open_journal()
    other = Journal(folder, "i1")
    locks = sorted(folder.glob("*.lock"))
    assert [is_locked(lock) for lock in locks] == [True, True]
    other.close()
    assert sorted(is_locked(lock) for lock in locks) == [False, True]
    assert not list(folder.glob("*.new"))


WRITER = """
import asyncio, resource, sys
from dataclasses import replace
from pathlib import Path
from detectors.errors import JournalError
from storage.journal import Journal, RecordKind, read_segment
from storage.types import DecisionRecord, Outcome

fields = dict.fromkeys(DecisionRecord.__slots__, "x") | {"outcome": Outcome.ANSWERED, "degraded": ()}
record = DecisionRecord(**fields)
journal = Journal(Path(sys.argv[1]), "i1")

async def write(number):
    await journal.closed(replace(record, id=str(number)))
"""
FILL = """
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, -1))
written = refused = 0
while refused < 3:
    try:
        asyncio.run(write(written))
        written += 1
    except JournalError:
        refused += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
asyncio.run(write(written))
print(written + 1)
"""
FOREVER = """
async def forever():
    number = 0
    while True:
        await write(number)
        print(number, flush=True)
        number += 1
asyncio.run(forever())
"""


def test_a_full_disk_refuses_records_and_damages_none(folder: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", WRITER + FILL, str(folder)], capture_output=True, text=True, timeout=30, check=True
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    written = int(run.stdout)
    assert written > 10
    assert [record.id for _, record in read(*segments(folder))] == [str(number) for number in range(written)]


def test_what_a_killed_writer_answered_for_is_in_its_journal(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER + FOREVER, str(folder)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        for _ in range(200):
            writer.stdout.readline()
        assert is_locked(next(folder.glob("*.lock")))
        writer.kill()
        answered = 200 + len(writer.stdout.read().splitlines())
    (file,) = segments(folder)
    tail = read_segment(file, 0)
    assert len(tail.envelopes) in {answered, answered + 1}
    assert not is_locked(next(folder.glob("*.lock")))
