"""Limits and budgets, and how much of them is used at the moment."""

from __future__ import annotations

from typing import Literal

from proxy.control.fields import Shown

Level = Literal["tenant", "app", "key", "model"]
Counted = Literal["requests", "tokens", "cost", "concurrent"]


class ShownLimit(Shown):
    """At most `limit` in any `seconds`, or at once (0). Cost is in US dollars.

    `of` is the app's name, the key's id or the pattern of models. `used` is null while nobody can tell; `empty_in` are
    seconds until nothing of it counts any more.
    """

    level: Level
    of: str
    counts: Counted
    limit: float
    seconds: int
    used: float | None
    empty_in: float | None


class LimitList(Shown):
    items: list[ShownLimit]
    next: str | None
