"""Programs that use the control plane, as they are sent and shown."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from proxy.control.access.types import AdminRole
from proxy.control.fields import Moment, Page, Sent, Shown, Slug

AccountName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


class AccountQuery(Page):
    """`tenant`: only those of a tenant."""

    tenant: Slug | None = None


class NewAccount(Sent):
    """`tenant`: whose it is; none for the platform's own, for a tenant's admin one's own."""

    name: AccountName
    role: AdminRole
    tenant: Slug | None = None


class SecretRotation(Sent):
    """`overlap_minutes`: how long secrets made before stay good."""

    overlap_minutes: Annotated[int, Field(ge=0, le=10_080)] = 0


class ShownAccount(Shown):
    id: int
    client_id: str
    name: str
    role: AdminRole
    tenant: str | None
    created_at: Moment
    revoked_at: Moment | None
    last_used_at: Moment | None


class AccountList(Shown):
    items: list[ShownAccount]
    next: str | None


class MadeAccount(Shown):
    """`client_secret` is shown this once."""

    account: ShownAccount
    client_secret: str
