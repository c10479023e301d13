"""Service accounts as operations."""

from __future__ import annotations

import secrets

import pytest

from proxy.control.access.types import AdminRole
from storage.accounts.admin_audit import Sought
from tests.proxy.control.house import House, principal, refused

pytestmark = pytest.mark.slow  # a database of their own


async def test_an_account_is_made_rotated_and_ended_by_its_tenants_admin(house: House) -> None:
    made = await house.do("createServiceAccount", body={"name": "exporter", "role": "auditor"})
    one, accounts = {"account": str(made.account.id)}, house.parts.access.service_accounts
    client_id = made.account.client_id
    assert made.account.tenant == house.acme.slug
    assert await accounts.open(client_id, made.client_secret) is not None
    rotated = await house.do("rotateServiceAccount", one, body={"overlap_minutes": 5})
    assert await accounts.open(client_id, made.client_secret) is not None
    assert await accounts.open(client_id, rotated.client_secret) is not None
    assert made.client_secret not in (await house.do("readServiceAccount", one)).model_dump_json()
    assert (await house.do("revokeServiceAccount", one)).revoked_at is not None
    assert await accounts.open(client_id, rotated.client_secret) is None
    with refused(409):
        await house.do("rotateServiceAccount", one, body={})
    events = str(await house.parts.access.audit.list(Sought(house.acme.id)))
    assert made.client_secret not in events
    assert rotated.client_secret not in events


async def test_an_account_is_revoked_once_and_noted_once(house: House) -> None:
    new = {"name": "once", "role": "auditor"}
    made = await house.do("createServiceAccount", body=new)
    one = {"account": str(made.account.id)}
    await house.do("revokeServiceAccount", one)
    with refused(409, "refused"):
        await house.do("revokeServiceAccount", one)
    noted = await house.parts.access.audit.list(Sought(house.acme.id, action="revokeServiceAccount"))
    assert [event.target for event in noted] == [made.account.client_id]
    assert (await house.do("createServiceAccount", body=new)).account.client_id != made.account.client_id


@pytest.mark.parametrize(
    ("operation", "body"), [("readServiceAccount", None), ("rotateServiceAccount", {}), ("revokeServiceAccount", None)]
)
async def test_accounts_of_others_are_not_there(house: House, operation: str, body: object) -> None:
    new = {"name": f"a-{secrets.token_hex(4)}", "role": "auditor"}
    theirs = await house.do("createServiceAccount", body=new, by=house.admin(house.globex))
    with refused(404, "not_found"):
        await house.do(operation, {"account": str(theirs.account.id)}, body=body)
    assert theirs.account.id not in {account.id for account in (await house.do("listServiceAccounts")).items}


async def test_nobody_makes_more_of_an_account_than_the_tenant_has(house: House) -> None:
    with refused(422, field="role"):
        await house.do("createServiceAccount", body={"name": "chief", "role": "platform_admin"})
    with refused(404):
        body = {"name": "spy", "role": "auditor", "tenant": house.globex.slug}
        await house.do("createServiceAccount", body=body)
    with refused(403):
        analyst = principal(AdminRole.ANALYST, house.acme)
        await house.do("createServiceAccount", body={"name": "mine", "role": "analyst"}, by=analyst)
