"""A database of the foundation's schema, with decisions in it, gets the chain."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from storage.chains.chain import RememberedHeads
from storage.chains.verify import Believed, Scope, verify
from storage.decisions.decisions import DecisionReader
from storage.decisions.writer import PostgresSink
from storage.migrate import FOLDER, migrate
from storage.postgres import Database, Session
from storage.tenants.tenants import TenantStore
from storage.uuid7 import uuid7
from tests.storage.conftest import DatabaseUrls, MakeRecord

pytestmark = pytest.mark.slow
_ROW = """
INSERT INTO public.decisions (opened_at, id, tenant_id, instance, worker, via, request_id, route, dialect, model,
    upstream, streaming, outcome, status, error_code, error_stage, mode, action, intended_action, request_action,
    response_action, category, confidence, scores, scores_overflow, facts, coverage, digests, degraded, policy_id,
    policy_revision, ruleset_revision, provider_saw_prompt, overhead_ms, upstream_ms, total_ms, closed_at)
VALUES (private.opened_at($1), $1, $2, 'i1', 0, 'direct', 'r', '/v1', 'openai', 'gpt', 'demo', false, 'answered', 200,
    '', '', 'enforce', 'flag', 'flag', 'flag', '', 'pii', 0.5, '[]', false, '{"hour": 3}', '{}', '{}', '{}', 'p',
    'r', 's', true, 1, 2, 3, now())
"""


async def test_rows_from_before_the_chain_stay_readable_and_new_ones_are_chained(
    empty_database: DatabaseUrls, make_record: MakeRecord, tmp_path: Path
) -> None:
    for file in sorted(FOLDER.glob("000[1-5]*.sql")):
        shutil.copy(file, tmp_path)
    await migrate(empty_database.owner_url, empty_database.login, folder=tmp_path)
    database = await Database.connect(empty_database.url, size=1)
    try:
        tenant = await TenantStore(database).create("older")
        old = uuid7()
        async with Session.open(empty_database.owner_url) as session, session.transaction() as connection:
            await connection.execute(_ROW, old, tenant.id)
        await migrate(empty_database.owner_url, empty_database.login)
        await PostgresSink(database, RememberedHeads()).write([make_record(tenant.id), make_record(tenant.id)])
        row = await DecisionReader(database).show(old)
        report = await verify(database, Scope(), Believed([]))
    finally:
        await database.close()
    assert row is not None
    assert (row["facts"], row["seq"], row["personal"]) == ({"hour": 3}, None, None)
    assert (report.rows, report.unchained, report.damages) == (2, 1, [])
