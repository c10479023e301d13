"""What the log holds about a person is found, exported and erased; the decisions and their chain stay."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from detectors.errors import DatabaseUnavailableError, StorageError
from storage.decisions.bodies import read_bodies
from storage.keys.data_keys import DataKeys
from storage.keys.encryption import SuppliedKeys
from storage.postgres import Database
from storage.subject_log import Erased, SubjectLog
from storage.subjects import subject_hash, subject_key
from storage.types import DecisionRecord, Role, Tenant
from tests.storage.conftest import MakeRecord, RunStatement
from tests.storage.stored import CONTENT_KEY, STRONG, about, ship, with_body

pytestmark = pytest.mark.slow
ANNA, BERT = "anna@example.org", "bert@example.org"
WAITING = (
    "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
PERSONAL = '{"network": "10.0.0.1"}'


@pytest.fixture
def keys(database: Database) -> DataKeys:
    return DataKeys(database, SuppliedKeys(STRONG))


@pytest.fixture
def log(database: Database, tenant: Tenant) -> SubjectLog:
    return SubjectLog(database, tenant, CONTENT_KEY, "test")


@pytest.fixture
async def of_anna(database: Database, keys: DataKeys, tenant: Tenant, make_record: MakeRecord) -> DecisionRecord:
    """A shipped decision about Anna and Bert, with a body, beside one of Bert alone."""
    key = await keys.live(tenant.id)
    record = with_body(make_record(tenant.id, personal=PERSONAL), key, "hello Anna")
    await ship(database, about(record, ANNA, BERT), about(make_record(tenant.id, personal=PERSONAL), BERT))
    return record


async def found(log: SubjectLog, identifier: str) -> list[dict[str, Any]]:
    return [row async for row in log.find(identifier)]


async def test_decisions_about_a_person_are_found_by_any_spelling(log: SubjectLog, of_anna: DecisionRecord) -> None:
    assert [row["id"] for row in await found(log, " ANNA@example.org")] == [of_anna.id]
    assert [row["personal"] for row in await found(log, BERT)] == [{"network": "10.0.0.1"}] * 2
    assert await found(log, "carl@example.org") == []


async def test_another_tenants_decisions_are_not_found(
    database: Database, neighbour: Tenant, of_anna: DecisionRecord
) -> None:
    assert await found(SubjectLog(database, neighbour, CONTENT_KEY, "test"), ANNA) == []


async def test_many_decisions_come_page_by_page_oldest_first(
    database: Database, log: SubjectLog, tenant: Tenant, make_record: MakeRecord
) -> None:
    records = [about(make_record(tenant.id), ANNA) for _ in range(450)]
    await ship(database, *records)
    rows = await found(log, ANNA)
    assert [row["id"] for row in rows] == sorted(record.id for record in records)


async def test_an_export_holds_the_bodies_in_clear(log: SubjectLog, keys: DataKeys, of_anna: DecisionRecord) -> None:
    (row,) = [row async for row in log.export(ANNA, keys)]
    assert row["bodies"] == [{"direction": "request", "form": "encrypted", "cut": False, "text": "hello Anna"}]
    assert orjson.dumps(row, default=str)


async def test_an_erasure_takes_bodies_and_personal_data_and_leaves_the_rows(
    database: Database, log: SubjectLog, keys: DataKeys, of_anna: DecisionRecord, as_superuser: RunStatement
) -> None:
    before = await as_superuser(
        "SELECT seq, prev, hash, personal_digest FROM public.decisions WHERE id = $1", of_anna.id
    )
    assert await log.erase(ANNA) == Erased(1, 1, 0)
    assert await found(log, ANNA) == []
    assert await read_bodies(database, keys, of_anna.id, actor="test") == ()
    after = await as_superuser(
        "SELECT seq, prev, hash, personal_digest FROM public.decisions WHERE id = $1", of_anna.id
    )
    assert after == before
    assert {row["id"]: row["personal"] for row in await found(log, BERT)}.pop(of_anna.id) is None


async def test_the_second_erasure_finds_nothing(log: SubjectLog, of_anna: DecisionRecord) -> None:
    await log.erase(ANNA)
    assert await log.erase(ANNA) == Erased(0, 0, 0)


async def test_everything_done_is_noted_and_the_identifier_only_as_its_hash(
    log: SubjectLog, keys: DataKeys, tenant: Tenant, of_anna: DecisionRecord, as_superuser: RunStatement
) -> None:
    await found(log, ANNA)
    async for _ in log.export(ANNA, keys):
        pass
    await log.erase(ANNA)
    notes = await as_superuser(
        "SELECT actor, action, target, details FROM private.admin_audit WHERE tenant_id = $1 ORDER BY id", tenant.id
    )
    subject = subject_hash(subject_key(CONTENT_KEY), ANNA)
    assert [(action, target) for _, action, target, _ in notes] == [
        ("subject.find", subject), ("subject.export", subject), ("bodies.read", of_anna.id), ("subject.erase", subject),
    ]  # fmt: skip
    assert orjson.loads(notes[-1][3]) == {"decisions": 1, "bodies": 1, "dead_letters": 0}
    assert "anna" not in str(notes)


async def test_what_was_still_in_a_journal_is_erased_on_its_way_in(
    database: Database, log: SubjectLog, keys: DataKeys, tenant: Tenant, make_record: MakeRecord
) -> None:
    late = with_body(make_record(tenant.id, personal=PERSONAL), await keys.live(tenant.id), "hello Anna")
    await log.erase(ANNA)
    other = about(make_record(tenant.id, personal=PERSONAL), BERT)
    await ship(database, about(late, ANNA, BERT), other)
    assert await found(log, ANNA) == []
    assert await read_bodies(database, keys, late.id, actor="test") == ()
    personal = {row["id"]: row["personal"] for row in await found(log, BERT)}
    assert personal == {late.id: None, other.id: {"network": "10.0.0.1"}}


async def test_what_happens_after_an_erasure_is_kept(
    database: Database, log: SubjectLog, tenant: Tenant, make_record: MakeRecord
) -> None:
    await log.erase(ANNA)
    later = datetime.now(UTC) + timedelta(minutes=2)
    await ship(database, about(make_record(tenant.id, later, personal=PERSONAL), ANNA))
    assert [row["personal"] for row in await found(log, ANNA)] == [{"network": "10.0.0.1"}]


async def test_who_was_erased_before_a_decision_is_still_found_in_it_when_another_one_is_erased_from_it(
    database: Database, log: SubjectLog, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    await log.erase(BERT)
    await as_superuser("UPDATE private.erasures SET until = until - interval '1 year'")
    record = about(make_record(tenant.id), ANNA, BERT)
    await log.erase(ANNA)
    await ship(database, record)
    assert await found(log, ANNA) == []
    assert [row["id"] for row in await found(log, BERT)] == [record.id]


async def test_a_shipping_in_the_midst_of_an_erasure_waits_for_it_and_misses_nothing(
    database: Database, log: SubjectLog, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    record = about(make_record(tenant.id, personal=PERSONAL), ANNA)
    erased = asyncio.Event()

    async def erase() -> None:
        async with database.transaction(Role.APP, tenant.id) as connection:
            subject = bytes.fromhex(record.subjects[0])
            await connection.fetchrow("SELECT * FROM private.erase_subject($1, 'test', 10)", subject)
            erased.set()
            while not await as_superuser(WAITING):  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.005)

    async def ship_meanwhile() -> None:
        await erased.wait()
        await ship(database, record)

    await asyncio.gather(erase(), ship_meanwhile())
    assert await found(log, ANNA) == []
    assert await as_superuser("SELECT personal FROM public.decisions WHERE id = $1", record.id) == [(None,)]


async def test_dead_letters_about_the_person_go_too(
    database: Database, log: SubjectLog, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    for record in (about(make_record(tenant.id), ANNA), about(make_record(tenant.id), BERT)):
        letter = orjson.dumps(record).decode()
        await as_superuser(
            "INSERT INTO private.dead_letters (tenant_id, reason, record) VALUES ($1, 'x', $2)", tenant.id, letter
        )
    assert (await log.erase(ANNA)).dead_letters == 1
    assert len(await as_superuser("SELECT FROM private.dead_letters WHERE tenant_id = $1", tenant.id)) == 1


async def test_more_than_one_transaction_holds_is_erased_all_the_same(
    database: Database, log: SubjectLog, tenant: Tenant, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.subject_log.ERASED_AT_ONCE", 4)
    await ship(database, *(about(make_record(tenant.id), ANNA) for _ in range(10)))
    assert (await log.erase(ANNA)).decisions == 10


@pytest.mark.parametrize("nobody", ["", "  "])
async def test_nobody_cannot_be_looked_for(log: SubjectLog, nobody: str) -> None:
    with pytest.raises(StorageError, match="identifier"):
        await log.erase(nobody)


async def test_erasing_needs_a_tenant(database: Database) -> None:
    with pytest.raises(StorageError, match="needs a tenant"):
        async with database.transaction(Role.APP) as connection:
            await connection.fetchrow("SELECT * FROM private.erase_subject($1, 'x', 1)", bytes(16))


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("statement", [
    "UPDATE public.decisions SET personal = NULL", "DELETE FROM public.bodies", "DELETE FROM public.decision_subjects",
    "DELETE FROM private.erasures",
    "SELECT set_config('promptshield.erasing', 'on', true); DELETE FROM public.decisions",
])  # fmt: skip
async def test_nobody_erases_by_himself(database: Database, tenant: Tenant, role: Role, statement: str) -> None:
    with pytest.raises(DatabaseUnavailableError, match=r"permission denied|read-only"):
        async with database.transaction(role, tenant.id) as connection:
            await connection.execute(statement)


async def test_a_view_of_the_owner_still_shows_no_decision(as_superuser: RunStatement, of_anna: DecisionRecord) -> None:
    await as_superuser("CREATE VIEW private.owners AS SELECT * FROM public.decisions")
    await as_superuser("ALTER VIEW private.owners OWNER TO ps_owner")
    try:
        assert await as_superuser("SELECT count(*) FROM private.owners") == [(0,)]
    finally:
        await as_superuser("DROP VIEW private.owners")


async def test_subjects_beyond_the_first_are_all_indexed(
    database: Database, log: SubjectLog, tenant: Tenant, make_record: MakeRecord
) -> None:
    record = about(make_record(tenant.id), *(f"user-{n}" for n in range(32)))
    await ship(database, replace(record, subjects=(*record.subjects, record.subjects[0])))
    assert [len(await found(log, f"user-{n}")) for n in (0, 31)] == [1, 1]
