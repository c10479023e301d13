"""Verification: each kind of tampering is found where it happened, and nothing that is legitimate is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from storage.chains.canonical import DOCUMENTS, MEASURES, PLAIN, seal
from storage.chains.chain import GENESIS, link_hash
from storage.postgres import Database
from storage.types import DecisionRecord, Tenant
from tests.storage.chained import ChainedLog
from tests.storage.conftest import MakeRecord, RunStatement

pytestmark = pytest.mark.slow

pytestmark = pytest.mark.slow
ROWS: Final = 12
CHECKPOINT_AT: Final = 8  # a checkpoint names this link; another one the last


@pytest.fixture
async def log(database: Database, tenant: Tenant, make_record: MakeRecord, tmp_path: Path) -> ChainedLog:
    return ChainedLog(database, tmp_path / "checkpoints", tenant, make_record)


@pytest.fixture
async def records(log: ChainedLog) -> list[DecisionRecord]:
    """Twelve rows with a checkpoint after the eighth and one after the last."""
    first = await log.write(CHECKPOINT_AT, model="gpt")
    await log.checkpointer.checkpoint()
    rest = await log.write(ROWS - CHECKPOINT_AT, model="gpt")
    await log.checkpointer.checkpoint()
    return first + rest


class Attacker:
    """Somebody with the database's superuser, and without the signing key."""

    def __init__(self, run: RunStatement, log: ChainedLog, records: list[DecisionRecord]) -> None:
        self.run, self.log, self.records = run, log, records

    async def set(self, seq: int, assignment: str, *args: object) -> None:
        statement = f"UPDATE public.decisions SET {assignment} WHERE id = $1::uuid"  # noqa: S608 - a test's own words
        await self.run(statement, self.records[seq - 1].id, *args)

    async def delete(self, first: int, last: int) -> None:
        ids = [record.id for record in self.records[first - 1 : last]]
        await self.run("DELETE FROM public.decisions WHERE id = ANY ($1::uuid[])", ids)

    async def set_head(self, seq: int, link: bytes) -> None:
        await self.run(
            "UPDATE private.chain_heads SET seq = $1, hash = $2 WHERE instance = $3", seq, link, self.log.instance
        )

    async def link(self, seq: int) -> bytes:
        if seq == 0:
            return GENESIS
        ((link,),) = await self.run("SELECT hash FROM public.decisions WHERE id = $1", self.records[seq - 1].id)
        return bytes(link)

    async def rechain(self, records: list[DecisionRecord], start: int = 1) -> None:
        """Give these rows the links from `start` on, with hashes that fit, and let the head say so."""
        prev = await self.link(start - 1)
        for seq, record in enumerate(records, start):
            link = link_hash(prev, seq, seal(record).canonical)
            statement = "UPDATE public.decisions SET seq = $2, prev = $3, hash = $4, model = $5 WHERE id = $1"
            await self.run(statement, record.id, seq, prev, link, record.model)
            prev = link
        await self.set_head(start + len(records) - 1, prev)

    async def insert_copy(self, seq: int, record: DecisionRecord, *, as_seq: int | None) -> None:
        """Add a row like that of link `seq` under another id."""
        columns = ", ".join({*PLAIN, *DOCUMENTS, *MEASURES, "closed_at"} - {"id"})
        await self.run(
            f"INSERT INTO public.decisions (id, opened_at, seq, prev, hash, canonical, {columns})"  # noqa: S608 - our own names
            f" SELECT $2, private.opened_at($2), $3::bigint, prev, hash, canonical, {columns}"
            " FROM public.decisions WHERE id = $1",
            self.records[seq - 1].id, record.id, as_seq,
        )  # fmt: skip


@pytest.fixture
def attacker(as_superuser: RunStatement, log: ChainedLog, records: list[DecisionRecord]) -> Attacker:
    return Attacker(as_superuser, log, records)


async def edit_a_word(a: Attacker) -> None:
    await a.set(5, "action = 'allow'")


async def edit_a_document(a: Attacker) -> None:
    await a.set(5, """facts = '{"hour": 4}'""")


async def edit_a_number_a_little(a: Attacker) -> None:
    await a.set(5, "total_ms = 21.500000000000004")


async def edit_to_what_cannot_be_read(a: Attacker) -> None:
    await a.set(5, "facts = '{\"hour\": 1e400}'")


async def edit_a_time_to_infinity(a: Attacker) -> None:
    await a.set(5, "closed_at = 'infinity'")


async def edit_and_rehash(a: Attacker) -> None:
    changed = replace(a.records[4], model="other")
    await a.set(5, "model = $2, hash = $3", changed.model, link_hash(await a.link(4), 5, seal(changed).canonical))


async def edit_the_form(a: Attacker) -> None:
    await a.set(5, "canonical = 9")


async def edit_the_link(a: Attacker) -> None:
    await a.set(5, "prev = NULL")


async def move_in_time(a: Attacker) -> None:
    await a.set(5, "opened_at = opened_at + interval '1 microsecond'")


async def delete_one(a: Attacker) -> None:
    await a.delete(5, 5)


async def delete_the_first(a: Attacker) -> None:
    await a.delete(1, 2)


async def unchain_one(a: Attacker) -> None:
    await a.set(5, "seq = NULL, prev = NULL, hash = NULL")


async def delete_and_close_the_gap(a: Attacker) -> None:
    await a.delete(5, 5)
    await a.rechain(a.records[5:], start=5)


async def rewrite_all_after_an_edit(a: Attacker) -> None:
    await a.rechain([replace(record, model="other") for record in a.records[4:]], start=5)


async def swap_places(a: Attacker) -> None:
    await a.set(4, "seq = 40")
    await a.set(6, "seq = 4")
    await a.set(4, "seq = 6")


async def swap_contents(a: Attacker) -> None:
    """The links stay where they are, the rows change places."""
    links = await a.run(
        "SELECT seq, prev, hash FROM public.decisions WHERE id = ANY ($1::uuid[]) ORDER BY seq",
        [a.records[3].id, a.records[5].id],
    )
    await a.set(6, "seq = $2, prev = $3, hash = $4", *links[0])
    await a.set(4, "seq = $2, prev = $3, hash = $4", *links[1])


async def insert_in_the_middle(a: Attacker) -> None:
    await a.insert_copy(5, a.log.record(), as_seq=5)


async def insert_with_a_hash_that_fits(a: Attacker) -> None:
    record = a.log.record()
    await a.insert_copy(5, record, as_seq=5)
    a.records.append(record)
    await a.set(len(a.records), "hash = $2", link_hash(await a.link(4), 5, seal(record).canonical))


async def insert_at_the_end(a: Attacker) -> None:
    record = a.log.record()
    await a.insert_copy(12, record, as_seq=13)
    link = await a.link(12)
    a.records.append(record)
    await a.set(13, "prev = $2, hash = $3", link, link_hash(link, 13, seal(record).canonical))


async def insert_outside_the_chain(a: Attacker) -> None:
    await a.insert_copy(5, a.log.record(), as_seq=None)


async def insert_before_the_first_link(a: Attacker) -> None:
    await a.insert_copy(5, a.log.record(), as_seq=0)


async def truncate_rows(a: Attacker) -> None:
    await a.delete(11, 12)


async def truncate_rows_and_head(a: Attacker) -> None:
    await a.delete(11, 12)
    await a.set_head(10, await a.link(10))


async def truncate_everything(a: Attacker) -> None:
    await a.delete(1, 12)
    await a.run("DELETE FROM private.chain_heads WHERE instance = $1", a.log.instance)


async def truncate_with_all_that_was_signed(a: Attacker) -> None:
    await truncate_everything(a)
    await a.run("DELETE FROM private.statements WHERE instance = $1", a.log.instance)


async def drop_the_head(a: Attacker) -> None:
    await a.run("DELETE FROM private.chain_heads WHERE instance = $1", a.log.instance)


Tamper = Callable[[Attacker], Awaitable[None]]
# What is done, and what is found: the kind, the link, and the link whose decision is named (0: none, -1: a new one).
TAMPERINGS: Final[dict[Tamper, list[tuple[str, int | None, int]]]] = {
    edit_a_word: [("edit", 5, 5)],
    edit_a_document: [("edit", 5, 5)],
    edit_a_number_a_little: [("edit", 5, 5)],
    edit_to_what_cannot_be_read: [("edit", 5, 5)],
    edit_a_time_to_infinity: [("edit", 5, 5)],
    edit_and_rehash: [("edit", 5, 5)],
    edit_the_form: [("edit", 5, 5)],
    edit_the_link: [("edit", 5, 5)],
    move_in_time: [("edit", 5, 5)],
    delete_one: [("deletion", 5, 0)],
    delete_the_first: [("deletion", 1, 0)],
    unchain_one: [("deletion", 5, 0)],
    delete_and_close_the_gap: [("edit", 1, 0), ("truncation", 12, 0)],
    rewrite_all_after_an_edit: [("edit", 1, 0)],
    swap_places: [("reordering", 4, 6), ("reordering", 6, 4)],
    swap_contents: [("reordering", 4, 6), ("reordering", 6, 4)],
    insert_in_the_middle: [("insertion", 5, -1)],
    insert_with_a_hash_that_fits: [("insertion", 5, -1)],
    insert_at_the_end: [("insertion", 13, 0)],
    insert_outside_the_chain: [("insertion", None, -1)],
    insert_before_the_first_link: [("insertion", None, -1)],
    truncate_rows: [("truncation", 11, 0)],
    truncate_rows_and_head: [("truncation", 11, 0)],
    truncate_everything: [("truncation", 1, 0)],
    truncate_with_all_that_was_signed: [("statement", 1, 0), ("truncation", 1, 0), ("statement", 2, 0)],
    drop_the_head: [("truncation", 12, 12)],
}


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__)
async def test_tampering_is_found_where_it_happened(attacker: Attacker, log: ChainedLog, tamper: Tamper) -> None:
    known = {record.id: seq for seq, record in enumerate(attacker.records, 1)}
    assert await log.found() == []
    await tamper(attacker)
    found = [(kind, seq, known.get(id_, -1) if id_ else 0) for kind, seq, id_ in await log.found()]
    assert sorted(found, key=str) == sorted(TAMPERINGS[tamper], key=str)
