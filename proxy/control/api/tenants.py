"""Tenants: make, see, rename, suspend, delete, restore, purge."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from proxy.control.access.types import Permission
from proxy.control.answers.tenants import Deletion, NewTenant, ShownTenant, TenantChange, TenantList, Why
from proxy.control.fields import Page
from proxy.control.operations import Call, Operation, not_found
from proxy.control.paging import next_after, number_after
from storage.tenants.tenancy import Tenancy, TenantState

_ONE: Final = "/api/v1/tenants/{tenant}"


async def _list(call: Call) -> TenantList:
    page = call.asked(Page)
    found = await Tenancy(call.parts.database).list(
        after=number_after(page), limit=page.limit + 1, only=call.principal.tenant_id
    )
    items = [shown_tenant(tenant) for tenant in found[: page.limit]]
    return TenantList(items=items, next=next_after(found, page, lambda tenant: tenant.id))


async def _create(call: Call) -> ShownTenant:
    new = call.sent(NewTenant)
    made = await Tenancy(call.parts.database).create(new.slug, new.name)
    call.tenant = made
    call.note(made.slug, after={"name": made.name})
    return shown_tenant(made)


async def _read(call: Call) -> ShownTenant:
    return shown_tenant(call.the_tenant())


async def _change(call: Call) -> ShownTenant:
    tenant, name = call.the_tenant(), call.sent(TenantChange).name
    await Tenancy(call.parts.database).rename(tenant.id, name)
    call.note(tenant.slug, before={"name": tenant.name}, after={"name": name})
    return await _now(call)


async def _suspend(call: Call) -> ShownTenant:
    await Tenancy(call.parts.database).suspend(call.the_tenant().id)
    return await _changed(call, {"reason": call.sent(Why).reason})


async def _resume(call: Call) -> ShownTenant:
    await Tenancy(call.parts.database).resume(call.the_tenant().id)
    return await _changed(call, {})


async def _delete(call: Call) -> ShownTenant:
    sent = call.sent(Deletion)
    await Tenancy(call.parts.database).delete(call.the_tenant().id, timedelta(days=sent.grace_days))
    return await _changed(call, {"reason": sent.reason, "grace_days": sent.grace_days})


async def _restore(call: Call) -> ShownTenant:
    await Tenancy(call.parts.database).restore(call.the_tenant().id)
    return await _changed(call, {})


async def _purge(call: Call) -> ShownTenant:
    await Tenancy(call.parts.database).hasten_purge(call.the_tenant().id)
    return await _changed(call, {"reason": call.sent(Why).reason})


async def _changed(call: Call, more: dict[str, object]) -> ShownTenant:
    """Answer with the tenant as it is now, and note what it was and is."""
    before = call.the_tenant()
    now = await _now(call)
    call.note(before.slug, before={"state": before.state}, after={"state": now.state, **more})
    return now


async def _now(call: Call) -> ShownTenant:
    found = await Tenancy(call.parts.database).by_id(call.the_tenant().id)
    if found is None:
        raise not_found()
    return shown_tenant(found)


def shown_tenant(tenant: TenantState) -> ShownTenant:
    return ShownTenant.model_validate(tenant, from_attributes=True)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "listTenants", "GET", "/api/v1/tenants", Permission.TENANTS_READ, "List the tenants one may see.",
        TenantList, _list, query=Page,
    ),
    Operation(
        "createTenant", "POST", "/api/v1/tenants", Permission.TENANTS_WRITE,
        "Make a tenant with an app called default.", ShownTenant, _create, 201, NewTenant, platform=True,
    ),
    Operation("readTenant", "GET", _ONE, Permission.TENANTS_READ, "Show a tenant.", ShownTenant, _read),
    Operation(
        "changeTenant", "PATCH", _ONE, Permission.TENANTS_WRITE, "Rename a tenant.", ShownTenant, _change,
        body=TenantChange, platform=True,
    ),
    Operation(
        "suspendTenant", "POST", f"{_ONE}/suspend", Permission.TENANTS_WRITE,
        "Let none of a tenant's keys work until it is resumed.", ShownTenant, _suspend, body=Why, platform=True,
    ),
    Operation(
        "resumeTenant", "POST", f"{_ONE}/resume", Permission.TENANTS_WRITE, "Let a suspended tenant's keys work.",
        ShownTenant, _resume, platform=True,
    ),
    Operation(
        "deleteTenant", "DELETE", _ONE, Permission.TENANTS_WRITE,
        "End a tenant; until its time of grace is over it can be restored.", ShownTenant, _delete, body=Deletion,
        platform=True,
    ),
    Operation(
        "restoreTenant", "POST", f"{_ONE}/restore", Permission.TENANTS_WRITE, "Bring a deleted tenant back.",
        ShownTenant, _restore, platform=True, of_deleted=True,
    ),
    Operation(
        "purgeTenant", "POST", f"{_ONE}/purge", Permission.TENANTS_PURGE,
        "Remove all that is left of a tenant deleted three days ago; done within a minute.", ShownTenant, _purge, 202,
        body=Why, platform=True, of_deleted=True,
    ),
)  # fmt: skip
