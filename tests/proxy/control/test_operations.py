"""The only way to an operation: who may, whose matter it is, and the note of it."""

from __future__ import annotations

import pytest

from detectors.errors import DatabaseUnavailableError, OperationError, PolicyError, StorageError
from proxy.control.access.types import AdminRole
from proxy.control.catalogue import all_operations
from proxy.control.openapi import openapi
from proxy.control.operations import Operation, perform, refusal_of
from storage.accounts.admin_audit import Sought
from tests.proxy.control.house import House, principal, refused
from tests.proxy.control.stock import Stock

OPERATIONS = all_operations()
_SHORT = {"listJudges", "listSessions", "listIssuers"}  # as many as somebody configured, or signed in
READS = [one for one in OPERATIONS.values() if one.method == "GET"]


def test_there_are_operations_and_each_is_described() -> None:
    assert len(OPERATIONS) > 50
    document = openapi(OPERATIONS.values())
    described = {one["operationId"] for path in document["paths"].values() for one in path.values()}
    assert described == set(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda one: one.id)
def test_an_operation_says_what_it_is(operation: Operation) -> None:
    assert operation.path.startswith("/api/v1/")
    assert operation.summary.endswith(".")
    assert operation.id[0].islower()
    if operation.method == "GET":
        assert operation.body is None
        assert operation.permission.endswith(":read")
    if operation.id.startswith(("list", "search", "export")):
        assert {"items"} <= set(operation.answer.model_fields)
        page = [] if operation.query is None else operation.query.model_json_schema()["properties"]
        assert "limit" in page or operation.id in _SHORT


@pytest.mark.parametrize("role", AdminRole)
async def test_auditors_change_nothing_and_everybody_is_held_to_the_matrix(house: House, role: AdminRole) -> None:
    who = principal(role, None if role is AdminRole.PLATFORM_ADMIN else house.acme)
    tried = 0
    for operation in OPERATIONS.values():
        if operation.permission in who.granted and not (operation.platform and who.tenant_id is not None):
            continue
        tried += 1
        with refused(403, "not_allowed"):
            await perform(house.parts, who, operation, names={"tenant": house.acme.slug})
    assert tried > 5 or role is AdminRole.PLATFORM_ADMIN
    if role is AdminRole.AUDITOR:
        assert tried >= len(OPERATIONS) - len(READS) - 5  # but for the questions that are asked by POST


async def test_what_is_done_and_what_is_denied_is_noted(house: House) -> None:
    await house.do("createApp", {"tenant": house.acme.slug}, body={"name": "bot"})
    with refused(404):
        await house.do("readTenant", {"tenant": house.globex.slug})
    with refused(403):
        await house.do("createTenant", body={"slug": "mine"})
    events = await house.parts.access.audit.list(Sought(tenant_id=house.acme.id))
    assert [(event.action, event.target) for event in events] == [
        ("denied", "createTenant"),
        ("denied", "readTenant"),
        ("createApp", f"{house.acme.slug}/bot"),
    ]
    assert events[0].details["network"] == "192.0.2.7"


async def test_who_tries_others_numbers_is_seen(house: House) -> None:
    with refused(404):
        await house.do("readDecision", {"decision": "019c2f6e-0000-7000-8000-000000000000"})
    events = await house.parts.access.audit.list(Sought(tenant_id=house.acme.id))
    assert [(event.action, event.target) for event in events] == [("denied", "readDecision")]


async def test_no_secret_stands_in_a_note(house: House) -> None:
    made = await house.do("createKey", {"tenant": house.acme.slug}, body={})
    await house.do("rotateKey", {"tenant": house.acme.slug, "key": str(made.key.id)}, body={})
    for event in await house.parts.access.audit.list(Sought(tenant_id=house.acme.id)):
        assert made.secret not in str(event)
        assert "sk-ps-" not in str(event)


async def test_a_question_by_post_is_not_noted(house: House, stock: Stock) -> None:
    before = len(await house.parts.access.audit.list(Sought(tenant_id=house.acme.id)))
    await house.do("tryText", {"tenant": stock.tenant}, body={"text": "hello"})
    await house.do("searchDecisions")
    assert len(await house.parts.access.audit.list(Sought(tenant_id=house.acme.id))) == before


async def test_an_operation_takes_only_what_it_declares(house: House) -> None:
    with refused(422, "unknown_field", "x"):
        await house.do("readTenant", {"tenant": house.acme.slug}, query={"x": "1"})
    with refused(422, "unknown_field"):
        await house.do("readTenant", {"tenant": house.acme.slug}, body={"x": "1"})
    with refused(422):
        await house.do("createApp", {"tenant": house.acme.slug}, body="name")
    with refused(404):
        await house.do("createApp", {"tenant": "x" * 300}, body={"name": "a"})


def test_errors_below_become_refusals() -> None:
    errors: list[tuple[PolicyError | StorageError, int]] = [
        (DatabaseUnavailableError("gone"), 503),
        (StorageError("no"), 409),
        (PolicyError("/secret/place/acme.yaml", 3, "unknown key"), 422),
    ]
    for error, status in errors:
        refusal = refusal_of(error)
        assert isinstance(refusal, OperationError)
        assert refusal.status == status
        assert "/secret/place" not in refusal.message
