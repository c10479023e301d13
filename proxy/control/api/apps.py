"""Apps of a tenant."""

from __future__ import annotations

from typing import Final

from proxy.control.access.types import Permission
from proxy.control.answers.apps import AppList, NewApp, ShownApp
from proxy.control.fields import Page
from proxy.control.operations import Call, Operation, not_found
from proxy.control.paging import next_after, number_after
from storage.tenants.key_book import App, KeyBook

_ALL: Final = "/api/v1/tenants/{tenant}/apps"


async def _list(call: Call) -> AppList:
    page = call.asked(Page)
    found = await _book(call).apps(after=number_after(page), limit=page.limit + 1)
    items = [_shown(app) for app in found[: page.limit]]
    return AppList(items=items, next=next_after(found, page, lambda app: app.id))


async def _create(call: Call) -> ShownApp:
    made = await _book(call).add_app(call.sent(NewApp).name)
    call.note(f"{call.the_tenant().slug}/{made.name}", after={"name": made.name})
    return _shown(made)


async def _read(call: Call) -> ShownApp:
    found = await _book(call).find_app(call.names["app"])
    if found is None:
        raise not_found()
    return _shown(found)


def _book(call: Call) -> KeyBook:
    return KeyBook(call.parts.database, call.the_tenant().id)


def _shown(app: App) -> ShownApp:
    return ShownApp.model_validate(app, from_attributes=True)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation("listApps", "GET", _ALL, Permission.APPS_READ, "List a tenant's apps.", AppList, _list, query=Page),
    Operation("createApp", "POST", _ALL, Permission.APPS_WRITE, "Make an app.", ShownApp, _create, 201, NewApp),
    Operation("readApp", "GET", f"{_ALL}/{{app}}", Permission.APPS_READ, "Show an app.", ShownApp, _read),
)
