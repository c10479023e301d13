"""The review queue: a row with its decision, decided once, by name, and releases that end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from detectors.errors import StorageError
from storage.chains.canonical import canonical_json
from storage.decisions.writer import PostgresSink
from storage.postgres import Database
from storage.reviews import Release, ReviewQueue, ReviewStatus
from storage.types import Role, Tenant
from storage.uuid7 import uuid7
from tests.storage.conftest import MakeRecord

pytestmark = pytest.mark.slow

TODAY = datetime.now(UTC).date()
CONTENT = "0" * 32
SCORES = [
    {"rule": "PS-INJ-001", "content": f"hmac:{CONTENT}", "origin": "user", "pointer": "/a", "action": "block"},
    {"rule": "PS-PII-001", "content": f"hmac:{CONTENT}", "origin": "user", "pointer": "/a", "action": "flag"},
]


@pytest.fixture
def queue(database: Database) -> ReviewQueue:
    return ReviewQueue(database)


@pytest.fixture
async def decision(database: Database, tenant: Tenant, make_record: MakeRecord) -> str:
    """A decision that waits for a review, and one that does not."""
    id_, facts = uuid7(), canonical_json({"review": {"until": (TODAY + timedelta(days=30)).isoformat()}})
    scores = canonical_json(SCORES)
    await PostgresSink(database).write(
        [make_record(tenant.id, id=id_, facts=facts, scores=scores), make_record(tenant.id, id=uuid7(), scores=scores)]
    )
    return id_


async def test_a_decision_that_waits_is_in_the_queue_with_what_stopped_it(
    queue: ReviewQueue, tenant: Tenant, decision: str
) -> None:
    (review,) = await queue.list(tenant.slug)
    assert (review.id, review.tenant, review.status) == (decision, tenant.slug, ReviewStatus.OPEN)
    assert [found["rule"] for found in review.findings] == ["PS-INJ-001"]


async def test_a_release_names_the_text_for_the_tenant_and_ends(
    queue: ReviewQueue, tenant: Tenant, decision: str
) -> None:
    await queue.release(decision, actor="cli:anna", reason="a false alarm", until=TODAY)
    released = [one for one in await queue.released() if one.tenant_id == tenant.id]
    assert released == [Release(tenant.id, "PS-INJ-001", CONTENT, TODAY, "cli:anna", "a false alarm")]
    assert await queue.list(tenant.slug) == ()


async def test_a_release_that_has_ended_lets_nothing_pass(queue: ReviewQueue, tenant: Tenant, decision: str) -> None:
    await queue.release(decision, actor="cli:anna", reason="a false alarm", until=TODAY - timedelta(days=1))
    assert [one for one in await queue.released() if one.tenant_id == tenant.id] == []


async def test_a_review_is_decided_once_and_moves_the_counter_that_workers_watch(
    queue: ReviewQueue, database: Database, decision: str
) -> None:
    before = await policies_counter(database)
    await queue.reject(decision, actor="cli:anna", reason="it was an attack")
    assert await policies_counter(database) == before
    with pytest.raises(StorageError, match="no open review"):
        await queue.release(decision, actor="cli:otto", reason="no it was not", until=TODAY)
    review = await queue.find(decision)
    assert review is not None
    assert (review.status, review.decided_by) == (ReviewStatus.REJECTED, "cli:anna")


async def test_a_release_is_told_to_the_workers_and_to_the_admin_audit(
    queue: ReviewQueue, database: Database, tenant: Tenant, decision: str
) -> None:
    before = await policies_counter(database)
    await queue.release(decision, actor="cli:anna", reason="a false alarm", until=TODAY)
    assert await policies_counter(database) > before
    async with database.transaction(Role.READER) as connection:
        action = await connection.fetchval(
            "SELECT action FROM private.admin_audit WHERE target = $1 AND tenant_id = $2", decision, tenant.id
        )
    assert action == "review.released"


async def test_a_tenant_sees_its_own_reviews_only_and_decides_none(
    database: Database, tenant: Tenant, neighbour: Tenant, decision: str
) -> None:
    for owner, expected in ((tenant, 1), (neighbour, 0)):
        async with database.transaction(Role.APP, owner.id) as connection:
            count = await connection.fetchval("SELECT count(*) FROM public.reviews WHERE id = $1::text::uuid", decision)
            assert count == expected


async def policies_counter(database: Database) -> int:
    async with database.transaction(Role.APP) as connection:
        counter: int = await connection.fetchval("SELECT policies FROM private.revisions")
    return counter
