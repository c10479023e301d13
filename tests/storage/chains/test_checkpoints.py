"""Checkpoints: signed when chains move, every chain by every new process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from storage.chains.statement_file import read_statements
from storage.chains.statements import Statement
from storage.postgres import Database
from storage.types import Role, Tenant
from tests.storage.chained import START, ChainedLog
from tests.storage.conftest import MakeRecord

pytestmark = pytest.mark.slow


@pytest.fixture
async def log(database: Database, tenant: Tenant, make_record: MakeRecord, tmp_path: Path) -> ChainedLog:
    return ChainedLog(database, tmp_path / "checkpoints", tenant, make_record)


def published(log: ChainedLog) -> tuple[Statement, ...]:
    return read_statements(log.folder).get(log.instance, ())


async def test_a_checkpoint_names_the_heads_that_moved_since_the_last(log: ChainedLog, neighbour: Tenant) -> None:
    await log.sink.write([log.record(), log.make_record(neighbour.id, log.now, instance=log.instance)])
    await log.checkpointer.checkpoint()
    await log.write(2)
    await log.checkpointer.checkpoint()
    heads = [[(tenant, seq) for tenant, seq, _ in statement.content["heads"]] for statement in published(log)]
    assert heads == [[(log.tenant_id, 1), (neighbour.id, 1)], [(log.tenant_id, 3)]]


async def test_without_a_move_there_is_no_further_checkpoint(log: ChainedLog) -> None:
    for _ in range(3):
        await log.checkpointer.checkpoint()
    assert len(published(log)) == 1
    assert log.checkpointer.counts.signed == 1


async def test_a_new_process_names_every_chain_and_continues_the_numbers(log: ChainedLog) -> None:
    await log.write(1)
    await log.checkpointer.checkpoint()
    log.start_process()
    await log.checkpointer.checkpoint()
    first, second = published(log)
    assert (second.number, second.previous) == (2, first.hash())
    assert second.content == first.content
    assert second.at == int(START.timestamp() * 1e6) + 1_000_000


async def test_failures_are_counted_and_the_loop_goes_on_until_it_is_cancelled(log: ChainedLog) -> None:
    log.folder.write_text("a file where the folder should be")
    running = asyncio.ensure_future(log.checkpointer.run_forever())
    while not log.checkpointer.counts.failures:  # noqa: ASYNC110 - a plain number
        await asyncio.sleep(0.005)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


class _SlowWitness:
    """A further place for statements, whose answer takes a while."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    async def publish(self, checkpoint: bytes) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        self.lines.append(checkpoint)


async def test_two_who_publish_at_once_offer_each_statement_once(log: ChainedLog) -> None:
    witness = _SlowWitness()
    log.start_process(sinks=[witness])
    await log.checkpointer.checkpoint()
    for _ in range(2):
        await log.write(1)
        async with log.database.transaction(Role.SHIP) as connection:
            await log.checkpointer.sign(connection)
    await asyncio.gather(log.ledger.publish(), log.ledger.publish())
    assert witness.lines == [statement.line() for statement in published(log)]
