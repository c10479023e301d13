"""Limits and budgets of a tenant's policies, and how full they are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar, get_args

from proxy.control.access.types import Permission
from proxy.control.answers.limits import Counted, Level, LimitList, ShownLimit
from proxy.control.fields import Page
from proxy.control.operations import Call, Operation
from proxy.control.paging import number_after
from proxy.limits.plan import COST, PER_DOLLAR, windows_of
from storage.limits.standing import LimitStandings, Standing
from storage.tenants.api_keys import ApiKey
from storage.tenants.key_book import App, KeyBook
from storage.types import LimitKey

_ALL: Final = "/api/v1/tenants/{tenant}/limits"
_AT_ONCE: Final = 1000  # apps and live keys
Numbered = TypeVar("Numbered", App, ApiKey)
_LEVELS: Final[tuple[Level, ...]] = get_args(Level)
_COUNTED: Final[tuple[Counted, ...]] = get_args(Counted)


async def _list(call: Call) -> LimitList:
    page, names = call.asked(Page), dict[str, str]()
    await call.parts.policies.reload()
    windows = sorted({key async for key in _windows(call, names)}, key=_order)
    first = number_after(page)
    shown = windows[first : first + page.limit]
    standings = await LimitStandings(call.parts.redis).of(shown)
    items = [_shown(key, standing, names) for key, standing in zip(shown, standings, strict=True)]
    more = len(windows) > first + page.limit
    return LimitList(items=items, next=str(first + page.limit) if more else None)


async def _windows(call: Call, names: dict[str, str]) -> AsyncIterator[LimitKey]:
    """Yield what requests of the tenant's apps may pass; leaves the apps' names by id."""
    tenant = call.the_tenant()
    book = KeyBook(call.parts.database, tenant.id)
    keys: dict[str, list[int]] = {}
    async for key in _all(lambda after: book.page(after=after, limit=_AT_ONCE, app=None, state="live")):
        keys.setdefault(key.app, []).append(key.id)
    async for app in _all(lambda after: book.apps(after=after, limit=_AT_ONCE)):
        names[str(app.id)] = app.name
        limits = call.parts.policies.nearest(tenant.slug, app.name).limits
        for window in windows_of(limits, tenant.id, app.name, app.id, keys.get(app.name, [0])):
            if ":key:" not in window.name or app.name in keys:  # an app without a key has no key's window
                yield window


async def _all(page: Callable[[int], Awaitable[Sequence[Numbered]]]) -> AsyncIterator[Numbered]:
    """Yield what there is on all pages."""
    after, found = 0, await page(0)
    while found:
        for one in found:
            yield one
            after = one.id
        found = await page(after) if len(found) == _AT_ONCE else ()


def _order(key: LimitKey) -> tuple[int, str, int, int, int]:
    counts, level, whose = _parts(key)
    return _LEVELS.index(level), whose, _COUNTED.index(counts), key.window_seconds, key.limit


def _parts(key: LimitKey) -> tuple[Counted, Level, str]:
    """Return what a window counts, on which level, and whose it is."""
    counts, _, rest = key.name.partition(":")
    level, _, whose = rest.partition(":")
    return (
        next(one for one in _COUNTED if one == counts),
        next((one for one in _LEVELS if one == level), "tenant"),
        whose,
    )


def _shown(key: LimitKey, standing: Standing | None, names: Mapping[str, str]) -> ShownLimit:
    counts, level, whose = _parts(key)
    unit = PER_DOLLAR if counts == COST else 1
    return ShownLimit(
        level=level,
        of=names.get(whose, whose) if level == "app" else whose,
        counts=counts,
        limit=key.limit / unit,
        seconds=key.window_seconds,
        used=None if standing is None else standing.used / unit,
        empty_in=None if standing is None else standing.empty_in,
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "listLimits", "GET", _ALL, Permission.USAGE_READ,
        "List a tenant's limits and budgets, and how much of them is used at the moment.", LimitList, _list, query=Page,
    ),
)  # fmt: skip
