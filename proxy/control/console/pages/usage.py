"""Usage and cost: requests, tokens and money over time, told apart by what one asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, get_args

from aiohttp import web

from proxy.control.answers.usage import Grouping, Usage
from proxy.control.console.charts import Bar
from proxy.control.console.filters import PERIODS, period
from proxy.control.console.page import Page, Visit
from proxy.control.console.pages.overview import over_time, series


async def _show(visit: Visit) -> web.Response:
    chosen, since = period(visit, "7d", tuple(PERIODS))
    by = visit.request.query.get("by", "app" if visit.tenant else "tenant")
    by = by if by in get_args(Grouping) else "app"
    query = {"since": since, "until": datetime.now(UTC) + timedelta(minutes=1), "by": by, "limit": 100}
    usage = await visit.ask("readUsage", Usage, query=query | ({"tenant": visit.tenant} if visit.tenant else {}))
    return visit.page(
        "usage.html",
        "Usage and cost",
        usage=usage,
        by=by,
        groups=get_args(Grouping),
        period=chosen,
        periods=[(name, shown) for name, (shown, _) in PERIODS.items()],
        requests=series(usage),
        tokens=_bars(usage),
        costs=[Bar(label, (one.cost_usd or 0 if one else 0,)) for label, one in over_time(usage)],
    )


def _bars(usage: Usage) -> list[Bar]:
    """Return tokens over time: what went in below, what came out above."""
    return [
        Bar(label, (one.prompt_tokens, one.completion_tokens) if one else (0, 0)) for label, one in over_time(usage)
    ]


PAGES: Final = (Page("/console/usage", _show),)
