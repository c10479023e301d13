"""Apps of a tenant, as they are sent and shown."""

from __future__ import annotations

from proxy.control.fields import AppName, Moment, Sent, Shown


class NewApp(Sent):
    name: AppName


class ShownApp(Shown):
    """`live_keys` counts the keys that work now."""

    id: int
    name: str
    created_at: Moment
    live_keys: int


class AppList(Shown):
    items: list[ShownApp]
    next: str | None
