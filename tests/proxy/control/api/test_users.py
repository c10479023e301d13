"""Users as operations: made and changed by whoever may, within a tenant or without."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

import pytest

from proxy.control.access.types import AdminRole
from storage.accounts.admin_audit import Sought
from tests.proxy.control.house import House, principal, refused

pytestmark = pytest.mark.slow  # a database of their own


def named() -> str:
    return f"u{secrets.token_hex(6)}@acme.example"


async def test_a_tenants_admin_makes_users_of_the_tenant_alone(house: House) -> None:
    made = await house.do("createUser", body={"name": named(), "role": "analyst"})
    assert (made.user.tenant, made.user.must_change_password) == (house.acme.slug, True)
    assert made.one_time_password not in made.user.model_dump_json()
    with refused(404):
        await house.do("createUser", body={"name": named(), "role": "analyst", "tenant": house.globex.slug})
    with refused(422, field="role"):
        await house.do("createUser", body={"name": named(), "role": "platform_admin"})
    listed = await house.do("listUsers")
    assert {user.tenant for user in listed.items} == {house.acme.slug}


async def test_the_platform_makes_users_of_any_tenant_and_of_none(house: House) -> None:
    by = house.chief
    body = {"name": named(), "role": "auditor", "tenant": house.globex.slug}
    assert (await house.do("createUser", body=body, by=by)).user.tenant == house.globex.slug
    assert (await house.do("createUser", body={"name": named(), "role": "auditor"}, by=by)).user.tenant is None
    with refused(422, field="tenant"):
        await house.do("createUser", body={"name": named(), "role": "analyst"}, by=by)
    with refused(404):
        await house.do("createUser", body=body | {"name": named(), "tenant": "nobody-there"}, by=by)
    with refused(409):
        await house.do("createUser", body=body, by=by)
    only = await house.do("listUsers", query={"tenant": house.globex.slug}, by=by)
    assert {user.tenant for user in only.items} == {house.globex.slug}


@pytest.mark.parametrize("role", [AdminRole.ANALYST, AdminRole.AUDITOR])
async def test_who_does_not_manage_users_makes_none(house: House, role: AdminRole) -> None:
    with refused(403, "not_allowed"):
        await house.do("createUser", body={"name": named(), "role": "analyst"}, by=principal(role, house.acme))


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("readUser", None), ("changeUser", {"enabled": False}), ("resetPassword", None), ("removeSecondFactor", None),
        ("listSessions", None), ("endSessions", None),
    ],
)  # fmt: skip
async def test_users_of_others_and_of_the_platform_are_not_there(house: House, operation: str, body: object) -> None:
    theirs = await house.do("createUser", body={"name": named(), "role": "tenant_admin"}, by=house.admin(house.globex))
    chief = await house.do("createUser", body={"name": named(), "role": "platform_admin"}, by=house.chief)
    for user in (theirs.user, chief.user):
        with refused(404, "not_found"):
            await house.do(operation, {"user": str(user.id)}, body=body)
    for wrong in ("0", "x", "9" * 30, "-1"):
        with refused(404):
            await house.do(operation, {"user": wrong}, body=body)


async def test_a_change_ends_what_it_should_and_is_in_the_audit(house: House) -> None:
    made = await house.do("createUser", body={"name": named(), "role": "analyst"})
    one, access = {"user": str(made.user.id)}, house.parts.access
    where = {"network": "192.0.2.1", "agent": "", "second_factor": False}
    begun = await access.sessions.begin(made.user.id, in_browser=False, **where)  # type: ignore[arg-type]
    changed = await house.do("changeUser", one, body={"role": "auditor"})
    assert changed.role == "auditor"
    assert len((await house.do("listSessions", one)).items) == 1
    disabled = await house.do("changeUser", one, body={"enabled": False})
    assert not disabled.enabled
    assert await access.sessions.live(begun.id) is None
    events = await access.audit.list(Sought(house.acme.id, action="changeUser"))
    assert [event.details["after"] for event in events] == [{"enabled": False}, {"role": "auditor"}]
    assert events[1].details["before"] == {"role": "analyst"}
    assert events[0].details["network"] == "192.0.2.7"


async def test_a_reset_gives_a_new_password_of_one_time(house: House) -> None:
    made = await house.do("createUser", body={"name": named(), "role": "analyst"})
    reset = await house.do("resetPassword", {"user": str(made.user.id)})
    hashed = await house.parts.access.users.password_hash(made.user.id)
    assert await house.parts.access.passwords.matches(hashed, reset.one_time_password)
    assert not await house.parts.access.passwords.matches(hashed, made.one_time_password)
    events = str(await house.parts.access.audit.list(Sought(house.acme.id)))
    assert reset.one_time_password not in events
    assert made.one_time_password not in events


async def test_nobody_changes_himself_or_whom_a_provider_vouches_for(house: House) -> None:
    made = await house.do("createUser", body={"name": named(), "role": "tenant_admin"})
    self = replace(house.admin(), id=made.user.id)
    own: tuple[tuple[str, Any], ...] = (
        ("changeUser", {"enabled": False}), ("resetPassword", None), ("removeSecondFactor", None),
    )  # fmt: skip
    for operation, body in own:
        with refused(409):
            await house.do(operation, {"user": str(made.user.id)}, body=body, by=self)
    vouched = await house.parts.access.users.vouched("https://id", secrets.token_hex(4), f"oidc:{secrets.token_hex(4)}",
                                                    "analyst", house.acme.id)  # fmt: skip
    of_provider: tuple[tuple[str, Any], ...] = (("changeUser", {"role": "auditor"}), ("resetPassword", None))
    for operation, body in of_provider:
        with refused(409):
            await house.do(operation, {"user": str(vouched.id)}, body=body)


async def test_a_list_goes_on_where_it_stopped(house: House) -> None:
    made = [(await house.do("createUser", body={"name": named(), "role": "analyst"})).user.id for _ in range(3)]
    first = await house.do("listUsers", query={"limit": 2})
    second = await house.do("listUsers", query={"limit": 2, "after": first.next})
    assert [user.id for user in (*first.items, *second.items)] == made
    assert second.next is None
