"""Signs in the log become incidents, once, and endpoints are told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from proxy.control.incident_notices import IncidentNotices
from proxy.control.incident_settings import IncidentSettings, NoticeSettings
from proxy.control.incident_watch import ACTOR, IncidentWatch
from storage.decisions.writer import PostgresSink
from storage.incidents import IncidentStore, Sign
from storage.postgres import Database
from storage.tenants.api_keys import ApiKeyStore
from storage.types import Outcome, Role, Tenant
from tests.proxy.control.stock import LEAK
from tests.storage.conftest import MakeRecord, RunStatement

SECRET = "whsec_" + "A" * 32
SUBJECT = "cd" * 16
QUICK = IncidentSettings(spike_least=6, blocks_of_key=5, blocks_of_session=3)
BLOCKED = {"outcome": Outcome.BLOCKED_REQUEST, "action": "block", "intended_action": "block", "status": 400}


class Receiver:
    """An endpoint on this machine, and what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.status = 204

    async def take(self, request: web.Request) -> web.Response:
        self.calls.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status)


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Receiver, str]]:
    known, app = Receiver(), web.Application()
    app.router.add_post("/hook", known.take)
    async with TestServer(app) as server:
        yield known, str(server.make_url("/hook"))


@pytest.fixture
async def no_other_incidents(as_superuser: RunStatement) -> None:
    for table in ("public.incidents", "public.rollups", "public.decisions"):
        await as_superuser(f"DELETE FROM {table}")  # noqa: S608 - names of ours


def watch(database: Database, *notices: NoticeSettings) -> IncidentWatch:
    return IncidentWatch(QUICK, database, IncidentNotices(notices))


@asynccontextmanager
async def watching(database: Database, *notices: NoticeSettings) -> AsyncIterator[IncidentWatch]:
    opened = watch(database, *notices)
    yield opened
    await opened.close()


@pytest.mark.usefixtures("no_other_incidents")
async def test_many_blocks_at_once_are_one_incident(
    database: Database, tenant: Tenant, make_record: MakeRecord
) -> None:
    await PostgresSink(database).write([make_record(tenant.id, **BLOCKED) for _ in range(6)])
    opened = await watch(database).run_once()
    assert [(one.rule, one.subject, one.severity, one.status) for one in opened] == [
        ("block_spike", "", "medium", "open")
    ]
    assert opened[0].title == "6 blocks in 10 minutes, 0.0 are usual"
    assert await watch(database).run_once() == ()


@pytest.mark.usefixtures("no_other_incidents")
async def test_what_is_usual_for_a_tenant_is_no_spike(
    database: Database, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    await PostgresSink(database).write([make_record(tenant.id, **BLOCKED) for _ in range(6)])
    usual = (
        "INSERT INTO public.rollups (grain, tenant_id, at, dimension, value, decisions, blocked, failed, prompt_tokens,"
        " completion_tokens, overhead_ms, upstream_ms, total_ms) SELECT 'hour', $1, date_trunc('hour', now(), 'UTC')"
        " - make_interval(hours => n), 'all', '', 100, 20, 0, 0, 0, 0, 0, 0 FROM generate_series(1, 24) AS n"
    )
    await as_superuser(usual, tenant.id)
    assert await watch(database).run_once() == ()


@pytest.mark.usefixtures("no_other_incidents")
async def test_one_key_and_one_session_that_are_blocked_again_and_again(
    database: Database, tenant: Tenant, neighbour: Tenant, make_record: MakeRecord
) -> None:
    key_id, _ = await ApiKeyStore(database, b"pepper").create(tenant.slug)
    await PostgresSink(database).write(
        [make_record(tenant.id, key_id=key_id, subjects=(SUBJECT,) if n < 3 else (), **BLOCKED) for n in range(5)]
    )
    await PostgresSink(database).write([make_record(neighbour.id, **BLOCKED) for _ in range(2)])
    opened = await watch(database).run_once()
    assert {(one.tenant_id, one.subject) for one in opened} == {
        (tenant.id, f"key {key_id}"),
        (tenant.id, f"session {SUBJECT}"),
    }
    store = IncidentStore(database)
    by_key = next(one for one in opened if one.subject.startswith("key"))
    assert len(await store.decisions_of(by_key)) == 5
    assert [(event.actor, event.event) for event in await store.timeline(by_key)] == [(ACTOR, "opened")]


@pytest.mark.usefixtures("no_other_incidents")
async def test_a_person_whose_data_are_erased_is_erased_from_incidents(
    database: Database, tenant: Tenant, make_record: MakeRecord
) -> None:
    store = IncidentStore(database)
    await PostgresSink(database).write([make_record(tenant.id, subjects=(SUBJECT,), **BLOCKED) for _ in range(3)])
    opened = await watch(database).run_once()
    old = Sign(tenant.id, "repeated_blocks", "", f"9 blocks of {f'session {SUBJECT}'[:20]} in 10 minutes", "medium")
    older = await store.open(old, ACTOR)  # as titles were told
    assert older is not None
    async with database.transaction(Role.APP, tenant.id) as connection:
        await connection.execute("SELECT private.erase_subject($1, 'ada', 100)", bytes.fromhex(SUBJECT))
    for incident_id in (opened[0].id, older[0]):
        found = await store.find(incident_id, tenant.id)
        assert found is not None
        told = f"{found} {await store.timeline(found)}"
        assert (SUBJECT[:8] in told, "blocks of one session in 10 minutes" in told) == (False, True)
    subject = await store.find(opened[0].id, tenant.id)
    assert subject is not None
    assert subject.subject == f"erased {subject.id}"


@pytest.mark.usefixtures("no_other_incidents")
async def test_credentials_in_answers_are_critical_where_they_were_let_through(
    database: Database, tenant: Tenant, neighbour: Tenant, make_record: MakeRecord
) -> None:
    leak = {"category": "credential", "scores": json.dumps([LEAK])}
    await PostgresSink(database).write(
        [
            # Something else was found besides, which the row is filed under.
            make_record(tenant.id, response_action="flag", **leak | {"category": "prompt_injection"}),
            make_record(neighbour.id, response_action="mask", **leak),
            make_record(neighbour.id, category="credential", scores=json.dumps([LEAK | {"direction": "request"}])),
        ]
    )
    opened = await watch(database).run_once()
    assert {(one.tenant_id, one.severity, one.decisions) for one in opened} == {
        (tenant.id, "critical", 1),
        (neighbour.id, "high", 1),
    }


@pytest.mark.usefixtures("no_other_incidents")
async def test_an_open_incident_gets_worse_with_its_sign_until_a_person_has_judged(
    database: Database, tenant: Tenant, make_record: MakeRecord
) -> None:
    leak, store = {"category": "credential", "scores": json.dumps([LEAK])}, IncidentStore(database)
    await PostgresSink(database).write([make_record(tenant.id, response_action="mask", **leak)])
    (opened,) = await watch(database).run_once()
    await PostgresSink(database).write([make_record(tenant.id, response_action="flag", **leak)])
    assert await watch(database).run_once() == ()
    worse = await store.find(opened.id, tenant.id)
    assert worse is not None
    assert (opened.severity, worse.severity) == ("high", "critical")
    assert [event.event for event in await store.timeline(worse)] == ["opened", "severity"]
    await store.change(worse, "ada", {"severity": "low"}, None, ())
    await watch(database).run_once()
    judged = await store.find(opened.id, tenant.id)
    assert judged is not None
    assert judged.severity == "low"


@pytest.mark.usefixtures("no_other_incidents")
async def test_what_was_closed_is_not_opened_again_by_the_same_sign(
    database: Database, tenant: Tenant, make_record: MakeRecord, as_superuser: RunStatement
) -> None:
    await PostgresSink(database).write([make_record(tenant.id, **BLOCKED) for _ in range(6)])
    opened = await watch(database).run_once()
    await IncidentStore(database).change(opened[0], "ada", {"status": "dismissed"}, None, ())
    assert await watch(database).run_once() == ()
    await as_superuser("UPDATE public.incidents SET closed_at = now() - interval '1 hour' WHERE id = $1", opened[0].id)
    assert len(await watch(database).run_once()) == 1


@pytest.mark.usefixtures("no_other_incidents")
async def test_old_blocks_are_no_sign(database: Database, tenant: Tenant, make_record: MakeRecord) -> None:
    old = datetime.now(UTC) - timedelta(hours=2)
    await PostgresSink(database).write([make_record(tenant.id, old, **BLOCKED) for _ in range(9)])
    assert await watch(database).run_once() == ()


@pytest.mark.usefixtures("no_other_incidents")
async def test_endpoints_are_told_as_a_signed_webhook_or_as_ocsf(
    database: Database, tenant: Tenant, make_record: MakeRecord, receiver: tuple[Receiver, str]
) -> None:
    known, url = receiver
    local = ("127.0.0.0/8",)
    signed = NoticeSettings(url=url, secret=SECRET, allow_networks=local)
    collector = NoticeSettings(url=url, authorization="Bearer x", allow_networks=local)
    await PostgresSink(database).write([make_record(tenant.id, **BLOCKED) for _ in range(6)])
    async with watching(database, signed, collector) as watch_:
        await watch_.run_once()
    (webhook, first), (headers, second) = known.calls
    assert webhook["webhook-signature"].startswith("v1,")
    event = orjson.loads(first)
    assert (event["type"], event["data"]["rule"], event["data"]["tenant"]) == (
        "incident.opened",
        "block_spike",
        tenant.slug,
    )
    assert (headers["Authorization"], orjson.loads(second)["type_uid"]) == ("Bearer x", 200501)


@pytest.mark.usefixtures("no_other_incidents")
async def test_nobody_is_sent_to_addresses_of_this_network(
    database: Database, tenant: Tenant, make_record: MakeRecord, receiver: tuple[Receiver, str]
) -> None:
    known, url = receiver
    await PostgresSink(database).write([make_record(tenant.id, **BLOCKED) for _ in range(6)])
    async with watching(database, NoticeSettings(url=url), NoticeSettings(url="http://169.254.169.254/")) as watch_:
        opened = await watch_.run_once()
    assert len(opened) == 1
    assert known.calls == []


@pytest.mark.usefixtures("no_other_incidents")
async def test_an_endpoint_that_fails_is_tried_three_times(
    database: Database, tenant: Tenant, make_record: MakeRecord, receiver: tuple[Receiver, str]
) -> None:
    known, url = receiver
    known.status = 503
    await PostgresSink(database).write([make_record(tenant.id, **BLOCKED) for _ in range(6)])
    async with watching(database, NoticeSettings(url=url, allow_networks=("127.0.0.0/8",))) as watch_:
        for _ in range(5):
            await watch_.run_once()
    assert len(known.calls) == 3
