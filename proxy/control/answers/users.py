"""People who run the firewall, as they are sent and shown."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from proxy.control.access.types import AdminRole
from proxy.control.fields import Moment, Page, Sent, Shown, Slug

UserName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._@+-]{0,126}$")]


class UserQuery(Page):
    """`tenant`: only those of a tenant."""

    tenant: Slug | None = None


class NewUser(Sent):
    """`tenant`: whose admin, analyst or auditor; none for the platform's own, for a tenant's admin one's own."""

    name: UserName
    role: AdminRole
    tenant: Slug | None = None


class UserChange(Sent):
    role: AdminRole | None = None
    enabled: bool | None = None


class ShownUser(Shown):
    """`provider` is who vouches for somebody without a password here."""

    id: int
    name: str
    role: AdminRole
    tenant: str | None
    enabled: bool
    must_change_password: bool
    second_factor: bool
    provider: str | None
    created_at: Moment
    last_sign_in_at: Moment | None


class UserList(Shown):
    items: list[ShownUser]
    next: str | None


class MadeUser(Shown):
    """`one_time_password` is shown this once, and is to be changed at the first sign-in with it."""

    user: ShownUser
    one_time_password: str


class ShownSession(Shown):
    id: str
    created_at: Moment
    last_seen_at: Moment
    ends_at: Moment
    network: str
    agent: str
    second_factor: bool
    in_browser: bool


class SessionList(Shown):
    items: list[ShownSession]
    next: None = None
