"""What administrators did and were denied, and whether that record is whole."""

from __future__ import annotations

from typing import Any, Final

from proxy.control.access.types import Permission
from proxy.control.answers.audit_events import AuditQuery, AuditReport, EventList, ShownDamage, ShownEvent
from proxy.control.operations import Call, Operation
from proxy.control.paging import next_after, number_after
from storage.accounts.admin_audit import AuditEvent, Sought
from storage.accounts.audit_chain import check_admin_audit
from storage.chains.damage import Damages
from storage.tenants.tenants import TenantStore
from storage.types import Role

_ALL: Final = "/api/v1/audit-events"
_MOST_DAMAGES: Final = 100
_APART: Final = ("before", "after", "network")


async def _list(call: Call) -> EventList:
    query = call.asked(AuditQuery)
    sought = Sought(call.tenant_id, query.actor, query.action, query.since, query.until, number_after(query) or None)
    found = await call.parts.access.audit.list(sought, query.limit + 1)
    tenants = {tenant.id: tenant.slug for tenant in await TenantStore(call.parts.database).kept()}
    items = [_shown(event, tenants.get(event.tenant_id or 0)) for event in found[: query.limit]]
    return EventList(items=items, next=next_after(found, query, lambda event: event.seq))


async def _verify(call: Call) -> AuditReport:
    """By the chain alone; `promptshield audit verify` also holds it against what was signed."""
    damages = Damages()
    async with call.parts.database.transaction(Role.READER, snapshot=True) as connection:
        checked = await check_admin_audit(connection, (), damages)
    shown = [ShownDamage(kind=one.kind, id=one.seq, note=one.note) for one in list(damages)[:_MOST_DAMAGES]]
    return AuditReport(intact=not damages.count, events=checked.rows, damages=shown)


def _shown(event: AuditEvent, tenant: str | None) -> ShownEvent:
    details: dict[str, Any] = {name: value for name, value in event.details.items() if name not in _APART}
    return ShownEvent(
        id=event.seq, at=event.at, actor=event.actor, action=event.action, tenant=tenant, target=event.target,
        network=str(event.details.get("network", "")), before=event.details.get("before"),
        after=event.details.get("after"), details=details,
    )  # fmt: skip


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "listAuditEvents", "GET", _ALL, Permission.AUDIT_READ, "List what administrators did, the newest first.",
        EventList, _list, query=AuditQuery,
    ),
    Operation(
        "verifyAuditEvents", "GET", f"{_ALL}/verification", Permission.AUDIT_READ,
        "Check the chain of all events.", AuditReport, _verify, platform=True,
    ),
)  # fmt: skip
