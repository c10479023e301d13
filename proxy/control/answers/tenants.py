"""Tenants, as they are sent and shown."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from proxy.control.fields import Line, Moment, Reason, Sent, Shown, Slug


class NewTenant(Sent):
    slug: Slug
    name: Line = ""


class TenantChange(Sent):
    name: Line


class Deletion(Sent):
    """`grace_days`: how long it can be restored."""

    reason: Reason
    grace_days: Annotated[int, Field(ge=3, le=365)] = 30


class Why(Sent):
    reason: Reason


class ShownTenant(Shown):
    """`state` says whether its keys work. A deleted tenant can be restored until `purge_after`."""

    id: int
    slug: str
    name: str
    state: Literal["active", "suspended", "deleted"]
    created_at: Moment
    suspended_at: Moment | None
    deleted_at: Moment | None
    purge_after: Moment | None


class TenantList(Shown):
    items: list[ShownTenant]
    next: str | None
