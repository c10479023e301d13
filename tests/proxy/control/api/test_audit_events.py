"""The admin audit as operations: a tenant's people see what concerns the tenant."""

from __future__ import annotations

import secrets

import pytest

from proxy.control.access.types import AdminRole
from tests.proxy.control.house import House, principal, refused

pytestmark = pytest.mark.slow  # a database of their own


async def test_a_tenants_auditor_sees_the_tenants_events_alone(house: House) -> None:
    for admin in (house.admin(), house.admin(house.globex)):
        await house.do("createUser", body={"name": f"u{secrets.token_hex(6)}", "role": "analyst"}, by=admin)
    auditor = principal(AdminRole.AUDITOR, house.acme)
    found = await house.do("listAuditEvents", query={"action": "createUser"}, by=auditor)
    assert [(event.tenant, event.actor, event.network) for event in found.items] == [
        (house.acme.slug, "user:ada", "192.0.2.7")
    ]
    with refused(404):
        await house.do("listAuditEvents", query={"tenant": house.globex.slug}, by=auditor)


async def test_a_denial_is_an_event(house: House) -> None:
    with refused(403):
        await house.do("createUser", body={"name": "x", "role": "analyst"}, by=principal(AdminRole.ANALYST, house.acme))
    found = await house.do("listAuditEvents", query={"action": "denied"})
    assert [(event.target, event.actor) for event in found.items] == [("createUser", "user:ada")]


async def test_events_come_the_newest_first_and_go_on(house: House) -> None:
    for _ in range(3):
        await house.do("createUser", body={"name": f"u{secrets.token_hex(6)}", "role": "analyst"})
    first = await house.do("listAuditEvents", query={"limit": 2})
    second = await house.do("listAuditEvents", query={"limit": 2, "after": first.next})
    numbers = [event.id for event in (*first.items, *second.items)]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 3


async def test_the_chain_is_checked_for_the_platform_alone(house: House) -> None:
    report = await house.do("verifyAuditEvents", by=house.chief)
    assert report.intact
    assert report.events > 0
    with refused(403):
        await house.do("verifyAuditEvents")


async def test_events_of_a_deleted_tenant_name_it(house: House) -> None:
    await house.do("createApp", {"tenant": house.acme.slug}, body={"name": "shop"})
    await house.do("deleteTenant", {"tenant": house.acme.slug}, body={"reason": "moved away"}, by=house.chief)
    found = await house.do("listAuditEvents", query={"tenant": house.acme.slug}, by=house.chief)
    assert [(event.action, event.tenant) for event in found.items] == [
        ("deleteTenant", house.acme.slug),
        ("createApp", house.acme.slug),
    ]
