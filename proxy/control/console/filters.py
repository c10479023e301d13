"""What an address asks of a list, as an operation's query: empty fields say nothing, times are UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from proxy.control.console.page import Visit

ANY: Final = "any"
PERIODS: Final[Mapping[str, tuple[str, timedelta]]] = MappingProxyType(
    {
        "1h": ("Last hour", timedelta(hours=1)),
        "24h": ("Last 24 hours", timedelta(hours=24)),
        "7d": ("Last 7 days", timedelta(days=7)),
        "30d": ("Last 30 days", timedelta(days=30)),
        "90d": ("Last 90 days", timedelta(days=90)),
    }
)


def asked(visit: Visit, *names: str) -> dict[str, str]:
    """Return what the address says of these, as it stands there."""
    return {name: text for name in names if (text := visit.request.query.get(name, "").strip())}


def period(visit: Visit, default: str, choices: Sequence[str] = (*PERIODS, ANY)) -> tuple[str, datetime | None]:
    """Return the chosen period by name, and when it began; `any`, where it may be chosen, has no beginning."""
    chosen = visit.request.query.get("period", default)
    chosen = chosen if chosen in choices else default
    if chosen == ANY:
        return chosen, None
    return chosen, datetime.now(UTC) - PERIODS[chosen][1]


def moment(visit: Visit, name: str) -> str | None:
    """Return a time of a browser's own field, which has no zone, as the UTC that it is labelled."""
    text = visit.request.query.get(name, "").strip()
    if not text:
        return None
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        return text  # the operation says what is wrong with it
    return (given.replace(tzinfo=UTC) if given.tzinfo is None else given).isoformat()


def query(visit: Visit, given: Mapping[str, Any], *, tenant: bool = True) -> dict[str, Any]:
    """Return a list's query: conditions, the tenant one looks at, and the page one is on."""
    after = visit.request.query.get("after")
    more = {"tenant": visit.tenant if tenant else None, "after": after}
    return {name: value for name, value in (dict(given) | more).items() if value not in {None, ""}}
