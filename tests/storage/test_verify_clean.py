"""Verification finds nothing in a log that saw only what may happen: erasure, retention, rotation, restart, upgrade."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from detectors.errors import StorageError
from storage.chains.damage import Damage
from storage.chains.key_rotation import rotate_signing_key
from storage.chains.signing import SigningKey, read_successions
from storage.chains.statement_file import read_statements
from storage.chains.verify import Believed, Scope, verify
from storage.keys.house_keys import open_house_keys
from storage.postgres import Database
from storage.subjects import personal_digest
from storage.types import Tenant
from tests.storage.chained import START, ChainedLog
from tests.storage.conftest import MakeRecord, RunStatement

pytestmark = pytest.mark.slow


@pytest.fixture
async def log(database: Database, tenant: Tenant, make_record: MakeRecord, tmp_path: Path) -> ChainedLog:
    return ChainedLog(database, tmp_path / "checkpoints", tenant, make_record)


async def test_an_untouched_log_is_clean_and_counted(log: ChainedLog) -> None:
    await log.write(5)
    await log.checkpointer.checkpoint()
    await log.write(2)
    report = await log.verify()
    assert (report.chains, report.rows, report.unsigned, report.damages) == (1, 7, 2, [])


async def test_erased_personal_data_leave_the_chain_whole(log: ChainedLog, as_superuser: RunStatement) -> None:
    await log.write(3, personal='{"network":"10.0.0.0/8"}', personal_digest="d" * 32)
    await as_superuser("UPDATE public.decisions SET personal = NULL WHERE instance = $1", log.instance)
    assert await log.found() == []


async def test_personal_data_that_are_not_those_of_the_row_are_an_edit(
    log: ChainedLog, as_superuser: RunStatement
) -> None:
    key, personal = secrets.token_bytes(32), '{"network":"10.0.0.0/8"}'
    (record,) = await log.write(1, personal=personal, personal_digest=personal_digest(key, personal))
    believed = Believed(log.anchors, None, lambda _tenant, text, digest: personal_digest(key, text) == digest)
    assert await _own_damages(log, believed) == []
    await as_superuser('UPDATE public.decisions SET personal = \'{"network":"8.8.8.0/24"}\' WHERE id = $1', record.id)
    (damage,) = await _own_damages(log, believed)
    assert (damage.kind, damage.decision_id) == ("edit", record.id)


async def test_a_batch_that_comes_again_is_chained_once(log: ChainedLog) -> None:
    first = await log.write(3)
    log.start_process()
    await log.sink.write([*first, log.record(), first[0]])
    report = await log.verify()
    assert (report.rows, report.damages) == (4, [])


async def test_two_tenants_and_two_instances_have_chains_of_their_own(log: ChainedLog, neighbour: Tenant) -> None:
    theirs = log.make_record(neighbour.id, log.now, instance=log.instance)
    elsewhere = log.record(instance=f"{log.instance}-2")
    await log.sink.write([log.record(), theirs, log.record(), elsewhere])
    report = await log.verify()
    assert (report.chains, report.rows, report.damages) == (2, 3, [])


async def test_keys_rotate_and_both_ends_of_the_rotation_are_believed(log: ChainedLog, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    log.key = SigningKey(open_house_keys(keys, {}).signing)
    log.start_process()
    await log.write(2)
    await log.checkpointer.checkpoint()
    for _ in range(2):
        rotate_signing_key(keys, {})
    old, log.key = log.key, SigningKey(open_house_keys(keys, {}).signing)
    log.start_process(read_successions(keys))
    await log.write(2)
    await log.checkpointer.checkpoint()
    for anchor in (old, log.key):
        log.anchors = [anchor.public]
        assert await log.found() == []


async def test_a_new_key_that_the_old_one_did_not_introduce_is_not_believed(log: ChainedLog) -> None:
    await log.write(1)
    await log.checkpointer.checkpoint()
    stranger = SigningKey(secrets.token_bytes(32))
    log.anchors, log.key = [log.key.public], stranger
    log.start_process()
    with pytest.raises(StorageError, match="not ours"):
        await log.checkpointer.checkpoint()


async def test_rows_from_before_the_chain_are_counted(log: ChainedLog, as_superuser: RunStatement) -> None:
    await log.write(3)
    await as_superuser(
        "UPDATE public.decisions SET seq = NULL, prev = NULL, hash = NULL, canonical = NULL WHERE instance = $1",
        log.instance,
    )
    await as_superuser("DELETE FROM private.chain_heads WHERE instance = $1", log.instance)
    log.start_process()
    log.now += timedelta(hours=1)
    await log.checkpointer.checkpoint()
    await log.write(2)
    report = await log.verify()
    assert (report.unchained, report.rows, report.damages) == (3, 2, [])


async def test_a_time_range_is_widened_to_the_checkpoints_around_it(
    log: ChainedLog, as_superuser: RunStatement
) -> None:
    for _ in range(4):
        await log.write(5)
        await log.checkpointer.checkpoint()
    scope = replace(log.scope, since=START + timedelta(seconds=7), until=START + timedelta(seconds=13))
    assert (await log.verify(scope)).rows == 10
    await as_superuser("DELETE FROM public.decisions WHERE instance = $1 AND seq BETWEEN 6 AND 16", log.instance)
    assert await log.found(scope) == [("deletion", 6, None)]


async def test_what_lies_outside_a_time_range_is_not_looked_at(log: ChainedLog, as_superuser: RunStatement) -> None:
    for _ in range(3):
        await log.write(5)
        await log.checkpointer.checkpoint()
    await as_superuser("UPDATE public.decisions SET model = 'x' WHERE instance = $1 AND seq = 2", log.instance)
    assert await log.found(replace(log.scope, since=START + timedelta(seconds=8))) == []
    assert [damage[1] for damage in await log.found(replace(log.scope, until=START + timedelta(seconds=3)))] == [2]


async def test_a_database_put_back_to_an_older_state_is_a_truncation(
    log: ChainedLog, as_superuser: RunStatement
) -> None:
    await log.write(2)
    await log.checkpointer.checkpoint()
    await log.write(2)
    await log.checkpointer.checkpoint()
    await as_superuser("DELETE FROM public.decisions WHERE instance = $1 AND seq > 2", log.instance)
    await as_superuser("DELETE FROM private.statements WHERE instance = $1 AND number > 1", log.instance)
    await as_superuser(
        "UPDATE private.chain_heads AS h SET seq = d.seq, hash = d.hash FROM public.decisions AS d"
        " WHERE h.instance = $1 AND d.instance = $1 AND d.seq = 2",
        log.instance,
    )
    assert [damage[:2] for damage in await log.found()] == [("statement", 2), ("truncation", 3)]
    assert (await log.verify(outside=False)).damages == []


async def test_a_quiet_time_range_is_clean_also_where_the_clock_was_put_back(log: ChainedLog) -> None:
    for moved in (timedelta(0), timedelta(hours=1), timedelta(minutes=-50)):
        log.now += moved
        await log.write(5)
        await log.checkpointer.checkpoint()
    since = log.now + timedelta(minutes=10)
    assert await log.found(Scope(since, since + timedelta(minutes=5), log.scope.tenant)) == []


async def test_a_time_range_that_ends_before_it_begins_is_said(log: ChainedLog) -> None:
    with pytest.raises(StorageError, match="ends before it begins"):
        await log.verify(Scope(START, START - timedelta(hours=1), log.scope.tenant))


async def test_a_tenant_that_does_not_exist_is_said(log: ChainedLog) -> None:
    with pytest.raises(StorageError, match="no tenant"):
        await log.verify(replace(log.scope, tenant="nobody"))


async def test_statements_survive_in_the_file_as_they_are_in_the_database(log: ChainedLog) -> None:
    await log.write(1)
    await log.checkpointer.checkpoint()
    (statement,) = read_statements(log.folder)[log.instance]
    assert statement.is_signed_by(log.key.public)
    assert [row[1] for row in statement.content["heads"]] == [1]


async def _own_damages(log: ChainedLog, believed: Believed) -> list[Damage]:
    report = await verify(log.database, log.scope, believed)
    return [damage for damage in report.damages if damage.instance == log.instance]
