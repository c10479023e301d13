"""Labels: said of decisions whose text is kept, by name, seen by their tenant alone, gone with the text."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from detectors.errors import DatabaseUnavailableError, StorageError
from storage.chains.canonical import canonical_json
from storage.decisions.labels import Labelled, Labels
from storage.keys.data_keys import DataKeys
from storage.keys.encryption import SuppliedKeys
from storage.postgres import Database
from storage.reviews import ReviewQueue
from storage.types import Role, Tenant
from storage.uuid7 import uuid7
from tests.storage.conftest import MakeRecord, RunStatement
from tests.storage.stored import STRONG, ship, with_body

pytestmark = pytest.mark.slow


def score(rule: str, category: str, pointer: str, direction: str = "request") -> dict[str, str]:
    origin = "user" if direction == "request" else "assistant"
    return {
        "rule": rule, "category": category, "content": "hmac:0", "origin": origin, "pointer": pointer,
        "direction": direction, "action": "block",
    }  # fmt: skip


ATTACK = score("PS-INJ-001", "prompt_injection", "/a")
SCORES = canonical_json([ATTACK, score("PS-PII-001", "pii", "/c"), score("PS-JBK-001", "jailbreak", "/b", "response")])


@pytest.fixture
def labels(database: Database) -> Labels:
    return Labels(database)


@pytest.fixture
async def decision(database: Database, tenant: Tenant, make_record: MakeRecord) -> str:
    """A decision whose request is kept."""
    record = make_record(tenant.id, scores=SCORES)
    keys = DataKeys(database, SuppliedKeys(STRONG))
    await ship(database, with_body(record, await keys.live(tenant.id), "sing"))
    return record.id


async def test_a_label_is_said_changed_and_taken_back(labels: Labels, tenant: Tenant, decision: str) -> None:
    await labels.say(tenant.id, decision, attack=False, by="cli:anna")
    await labels.say(tenant.id, decision, attack=True, by="cli:otto")
    (said,) = await labels.said(tenant.id, 10)
    assert said == Labelled(decision, "openai", "/v1/chat/completions", True, frozenset({"/a"}))
    label = await labels.find(tenant.id, decision)
    assert label is not None
    assert (label.attack, label.made_by) == (True, "cli:otto")
    assert await labels.take_back(tenant.id, decision)
    assert not await labels.take_back(tenant.id, decision)
    assert await labels.said(tenant.id, 10) == []
    assert await labels.find(tenant.id, decision) is None


async def test_nothing_is_learned_from_what_is_not_kept(
    database: Database, labels: Labels, tenant: Tenant, make_record: MakeRecord
) -> None:
    record = make_record(tenant.id)
    await ship(database, record)
    with pytest.raises(StorageError, match="its text is not kept"):
        await labels.say(tenant.id, record.id, attack=True, by="cli:anna")
    cut = make_record(tenant.id)
    keys = DataKeys(database, SuppliedKeys(STRONG))
    bodies = with_body(cut, await keys.live(tenant.id), "x").bodies.replace('"cut":false', '"cut":true')
    await ship(database, replace(cut, bodies=bodies))
    with pytest.raises(StorageError, match="its text is not kept"):
        await labels.say(tenant.id, cut.id, attack=True, by="cli:anna")


async def test_a_decision_that_is_none_or_anothers_is_refused(
    labels: Labels, tenant: Tenant, neighbour: Tenant, decision: str
) -> None:
    for owner, decision_id, problem in (
        (tenant, "x", "is a UUID"), (tenant, uuid7(), "is not kept"), (neighbour, decision, "is not kept")
    ):  # fmt: skip
        with pytest.raises(StorageError, match=problem):
            await labels.say(owner.id, decision_id, attack=True, by="cli:anna")
    assert await labels.said(tenant.id, 10) == []


async def test_a_decided_review_says_as_much_unless_a_label_says_otherwise(
    database: Database, labels: Labels, tenant: Tenant, make_record: MakeRecord
) -> None:
    until = datetime.now(UTC).date() + timedelta(days=3)
    facts = canonical_json({"review": {"until": until.isoformat()}})
    records = [make_record(tenant.id, scores=SCORES, facts=facts) for _ in range(3)]
    harmless = canonical_json([score("PS-PII-001", "pii", "/c")])
    records.append(make_record(tenant.id, scores=harmless, facts=facts))
    keys = DataKeys(database, SuppliedKeys(STRONG))
    await ship(database, *[with_body(one, await keys.live(tenant.id), "sing") for one in records])
    queue, (released, rejected, opened, personal) = ReviewQueue(database), [one.id for one in records]
    await queue.release(released, actor="cli:anna", reason="fine", until=until)
    await queue.reject(rejected, actor="cli:anna", reason="not fine")
    await queue.reject(personal, actor="cli:anna", reason="not ours to send")
    assert {one.id: one.attack for one in await labels.said(tenant.id, 10)} == {released: False, rejected: True}
    await labels.say(tenant.id, released, attack=True, by="cli:otto")
    assert {one.id: one.attack for one in await labels.said(tenant.id, 10)} == {released: True, rejected: True}
    assert {opened, personal}.isdisjoint({one.id for one in await labels.said(tenant.id, 10)})


async def test_no_tenant_sees_what_is_said_of_anothers_decisions(
    database: Database, labels: Labels, tenant: Tenant, neighbour: Tenant, decision: str
) -> None:
    await labels.say(tenant.id, decision, attack=True, by="cli:anna")
    assert await labels.said(neighbour.id, 10) == []
    assert await labels.find(neighbour.id, decision) is None
    assert not await labels.take_back(neighbour.id, decision)
    async with database.transaction(Role.APP, neighbour.id) as connection:
        assert await connection.fetchval("SELECT count(*) FROM public.decision_labels") == 0
    with pytest.raises(DatabaseUnavailableError, match="row-level security"):
        async with database.transaction(Role.APP, neighbour.id) as connection:
            await connection.execute(
                "INSERT INTO public.decision_labels (id, tenant_id, attack, made_by)"
                " VALUES ($1::text::uuid, $2, true, 'x')",
                *(uuid7(), tenant.id),
            )


async def test_a_label_goes_with_the_text(
    database: Database, labels: Labels, tenant: Tenant, decision: str, as_superuser: RunStatement
) -> None:
    await labels.say(tenant.id, decision, attack=True, by="cli:anna")
    await labels.expire()
    assert len(await labels.said(tenant.id, 10)) == 1
    await as_superuser("DELETE FROM public.bodies WHERE tenant_id = $1", tenant.id)
    assert await labels.expire() >= 1
    assert await labels.said(tenant.id, 10) == []
