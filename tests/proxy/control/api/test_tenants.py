from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.proxy.control.house import House, refused
from tests.proxy.control.stock import Stock

WHY = {"reason": "they asked for it"}
RunStatement = Callable[..., Any]


async def test_a_tenant_is_made_found_and_renamed(house: House) -> None:
    slug = f"new-{secrets.token_hex(4)}"
    made = await house.do("createTenant", body={"slug": slug, "name": "New"}, by=house.chief)
    assert (made.slug, made.state) == (slug, "active")
    changed = await house.do("changeTenant", {"tenant": slug}, body={"name": "Newer"}, by=house.chief)
    assert changed.name == "Newer"
    assert await house.do("readTenant", {"tenant": slug}, by=house.chief) == changed


async def test_a_tenant_admin_sees_the_own_tenant_alone(house: House) -> None:
    listed = await house.do("listTenants")
    assert [tenant.slug for tenant in listed.items] == [house.acme.slug]


async def test_lists_go_on_where_they_stopped(house: House) -> None:
    found, after = list[str](), None
    while True:
        query = {"limit": "1"} | ({} if after is None else {"after": after})
        page = await house.do("listTenants", query=query, by=house.chief)
        assert len(page.items) == 1
        found += [tenant.slug for tenant in page.items]
        after = page.next
        if after is None:
            break
    assert {house.acme.slug, house.globex.slug} <= set(found)
    assert len(found) == len(set(found))


async def test_nobody_learns_whether_another_tenant_is_there(house: House) -> None:
    for slug in (house.globex.slug, "not-there", "Not A Slug", "x" * 500, "a\0b"):
        with refused(404, "not_found"):
            await house.do("readTenant", {"tenant": slug})


async def test_only_the_platform_makes_and_ends_tenants(house: House) -> None:
    with refused(403, "not_allowed"):
        await house.do("createTenant", body={"slug": "mine"})
    for operation, body in (("suspendTenant", WHY), ("deleteTenant", WHY), ("purgeTenant", WHY)):
        with refused(403):
            await house.do(operation, {"tenant": house.acme.slug}, body=body)


async def test_a_suspended_tenant_is_resumed(house: House) -> None:
    names = {"tenant": house.acme.slug}
    assert (await house.do("suspendTenant", names, body=WHY, by=house.chief)).state == "suspended"
    assert (await house.do("resumeTenant", names, by=house.chief)).state == "active"


async def test_a_deleted_tenant_can_be_restored_and_is_not_there_for_its_own(house: House) -> None:
    names = {"tenant": house.acme.slug}
    gone = await house.do("deleteTenant", names, body={**WHY, "grace_days": 5}, by=house.chief)
    assert (gone.state, (gone.purge_after - gone.deleted_at).days) == ("deleted", 5)
    with refused(404):
        await house.do("readTenant", names)
    with refused(409):
        await house.do("deleteTenant", names, body=WHY, by=house.chief)
    with refused(409):
        await house.do("purgeTenant", names, body=WHY, by=house.chief)
    assert (await house.do("restoreTenant", names, by=house.chief)).state == "active"
    assert (await house.do("readTenant", names)).state == "active"


async def test_a_tenant_deleted_days_ago_can_be_purged_and_then_not_restored(
    house: House, as_superuser: RunStatement
) -> None:
    names = {"tenant": house.acme.slug}
    await house.do("deleteTenant", names, body=WHY, by=house.chief)
    old = "UPDATE public.tenants SET deleted_at = now() - interval '4 days' WHERE id = $1"
    await as_superuser(old, house.acme.id)
    await house.do("purgeTenant", names, body=WHY, by=house.chief)
    with refused(409):
        await house.do("restoreTenant", names, by=house.chief)


async def test_in_a_deleted_tenant_nothing_is_made_and_what_is_there_may_be_ended(house: House, stock: Stock) -> None:
    slug, chief = house.acme.slug, house.chief
    one = {"tenant": slug, "key": str(stock.key), "account": str(stock.account), "user": str(stock.user), "app": "_"}
    issuer = {"issuer": "https://other.example", "audience": "a", "jwks_url": "https://other.example/keys"}
    draft = {"content": "extends: preset/standard\n", "reason": "try it"}
    attempts: dict[str, object] = {
        "createKey": {"additional": True},
        "rotateKey": {},
        "changeKey": {"name": "x"},
        "createApp": {"name": "late"},
        "createIssuer": issuer,
        "savePolicyDraft": draft,
        "markFalsePositive": {"until": (datetime.now(UTC) + timedelta(days=30)).date().isoformat(), **WHY},
        "createUser": {"name": "late", "role": "analyst", "tenant": slug},
        "resetPassword": None,
        "createServiceAccount": {"name": "late", "role": "analyst", "tenant": slug},
        "rotateServiceAccount": {},
        "changeTenant": {"name": "Late"},
        "suspendTenant": WHY,
    }
    await house.do("deleteTenant", {"tenant": slug}, body=WHY, by=chief)
    for operation, body in attempts.items():
        with refused(409, "refused") as caught:
            await house.do(operation, one | {"decision": stock.decision}, body=body, by=chief)
        assert "deleted" in str(caught.value), operation
    assert (await house.do("revokeKey", one, by=chief)).state == "revoked"
    await house.do("removeIssuer", one | {"issuer": str(stock.issuer)}, by=chief)
    await house.do("openIncident", one, body={"title": "something odd"}, by=chief)
    await house.do("restoreTenant", one, by=chief)
    assert (await house.do("createApp", one, body={"name": "late"})).name == "late"


async def test_what_is_wrong_is_named(house: House) -> None:
    for body, field in (
        ({"slug": "A"}, "slug"),
        ({}, "slug"),
        ({"slug": "fine", "nmae": ""}, "nmae"),
        ({"slug": "fine", "name": "a\x1b[31m"}, "name"),
        ({"slug": "fine", "name": "x" * 201}, "name"),
        ({"slug": "fine", "name": "\u202e"}, "name"),
    ):
        with refused(422, field=field):
            await house.do("createTenant", body=body, by=house.chief)
    with refused(409):
        await house.do("createTenant", body={"slug": "platform"}, by=house.chief)
    with refused(409):
        await house.do("createTenant", body={"slug": house.acme.slug}, by=house.chief)
