"""Every SQL panel shows what is in the log: to Grafana's login all of it, to a tenant's its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import orjson
import pytest

from deploy.dashboards.__main__ import DASHBOARDS
from deploy.dashboards.panels import Sql
from tests.deployed.seen import Row, Seen
from tests.deployed.watched import Scene, ask, urls

Rows = Sequence[Row]
Table = list[tuple[Any, ...]]
QUERIES: Final = {p.title: q.text for b in DASHBOARDS for p in b.panels for q in p.queries if isinstance(q, Sql)}
_BLOCKED: Final = {"blocked_request", "blocked_response"}
_FAILED: Final = {"upstream_error", "internal_error", "interrupted"}


def _group(rows: Rows, key: Callable[[Row], Any], *sums: Callable[[Row], Any]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for row in rows:
        group = found.setdefault(key(row), [0] * (1 + len(sums)))
        group[0] += 1
        for n, of in enumerate(sums, start=1):
            group[n] += of(row)
    return found


def _blocked(row: Row) -> bool:
    return row["outcome"] in _BLOCKED


def _failed(row: Row) -> bool:
    return row["outcome"] in _FAILED


def _prompt(row: Row) -> int:
    return row["prompt_tokens"] or 0


def _completion(row: Row) -> int:
    return row["completion_tokens"] or 0


def _grouped(groups: dict[Any, list[Any]]) -> Table:
    table = [(*(key if isinstance(key, tuple) else (key,)), *map(int, sums)) for key, sums in groups.items()]
    return sorted(table, key=str)


def _minutes(rows: Rows) -> Table:
    return _grouped(_group(rows, lambda r: r["opened_at"].replace(second=0, microsecond=0), _blocked, _failed))


def _latencies(rows: Rows) -> Table:
    groups = _group(rows, lambda r: r["tenant_id"], lambda r: r["overhead_ms"], lambda r: r["upstream_ms"])
    return sorted((t, n, pytest.approx(o / n), pytest.approx(u / n)) for t, (n, o, u) in groups.items())


def _rules(rows: Rows) -> Table:
    found: Counter[tuple[str, str]] = Counter()
    seen: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        for score in orjson.loads(row["scores"]):
            key = score["rule"], score["action"]
            found[key] += score["count"]
            seen.setdefault(key, set()).add(row["id"])
    return sorted((rule, action, len(seen[rule, action]), count) for (rule, action), count in found.items())


def _shown(rows: Rows) -> Table:
    names = ("tenant_id", "action", "outcome", "category", "confidence", "model", "status", "policy_id")
    return sorted((r["opened_at"], str(r["id"]), *(r[n] for n in names), r["policy_revision"]) for r in rows)


_POLICY: Final = ("policy_id", "policy_revision", "mode")
# Of the minutes or hours that a rollup's panel touches, and of the moments that the others ask for.
OF_ROLLUPS: Final[dict[str, Callable[[Rows], Table]]] = {
    "Decisions by minute": _minutes,
    "Decisions and tokens": lambda rows: _grouped(
        _group(rows, lambda r: r["tenant_id"], _blocked, _failed, _prompt, _completion)
    ),
    "Mean latency": _latencies,
    "Models": lambda rows: _grouped(_group(rows, lambda r: r["model"], lambda r: _prompt(r) + _completion(r))),
    "Apps": lambda rows: _grouped(_group(rows, lambda r: str(r["app_id"]), _blocked)),
    "What was found": lambda rows: _grouped(
        _group([r for r in rows if r["category"]], lambda r: r["category"], _blocked)
    ),
}
OF_DECISIONS: Final[dict[str, Callable[[Rows], Table]]] = {
    "Blocked decisions": lambda rows: _shown([r for r in rows if _blocked(r)]),
    "All decisions": _shown,
    "Rules": _rules,
    "Policies that decided": lambda rows: _grouped(
        _group(rows, lambda r: tuple(r[n] for n in _POLICY), lambda r: r["action"] != r["intended_action"])
    ),
    "Decided although a detector failed": lambda _: [],
}


def _expected(title: str, seen: Seen, rows: Rows) -> Table:
    if title in OF_DECISIONS:
        return OF_DECISIONS[title]([r for r in rows if r["opened_at"].timestamp() >= seen.since])
    grain = "minute" if title == "Decisions by minute" else "hour"
    return OF_ROLLUPS[title]([r for r in rows if r["opened_at"] >= _start(grain, seen.since)])


def _start(grain: str, moment: float) -> datetime:
    at = datetime.fromtimestamp(moment, UTC).replace(second=0, microsecond=0)
    return at if grain == "minute" else at.replace(minute=0)


def _sql(title: str, seen: Seen) -> str:
    """Put in what Grafana puts in: quoted moments."""
    since, until = (datetime.fromtimestamp(at, UTC).isoformat() for at in (seen.since, seen.at))
    return QUERIES[title].replace("$__timeFrom()", f"'{since}'").replace("$__timeTo()", f"'{until}'")


def _table(found: Sequence[dict[str, Any]]) -> Table:
    return sorted((tuple(row.values()) for row in found), key=str)


@pytest.fixture(scope="session")
def logins(watched: Scene) -> dict[str, str]:
    """The addresses of a login for Grafana, made as docs/dashboards.md says, and of the tenant acme's."""
    owner = urls(watched.product)["owner"]
    tenant = next(row["tenant_id"] for row in watched.seen.rows if row["tenant"] == "acme")
    for sql in (
        "CREATE ROLE grafana LOGIN PASSWORD 'for-a-test' IN ROLE ps_reader",
        f"ALTER ROLE tenant_{tenant} PASSWORD 'for-a-test'",
    ):
        asyncio.run(ask(owner, sql))
    parts = urlsplit(owner)
    where = (parts.netloc.rpartition("@")[2], parts.path)
    return {
        name: urlunsplit(("postgresql", f"{role}:for-a-test@{where[0]}", where[1], "", ""))
        for name, role in (("grafana", "grafana"), ("acme", f"tenant_{tenant}"))
    }


def test_there_is_an_account_of_every_table() -> None:
    assert set(QUERIES) == set(OF_ROLLUPS) | set(OF_DECISIONS)


@pytest.mark.parametrize("title", QUERIES)
def test_a_table_shows_all_that_is_in_the_log(title: str, watched: Scene, logins: dict[str, str]) -> None:
    found = asyncio.run(ask(logins["grafana"], _sql(title, watched.seen)))

    assert _table(found) == sorted(_expected(title, watched.seen, watched.seen.all_rows), key=str)


@pytest.mark.parametrize("title", QUERIES)
def test_a_tenants_login_sees_its_own_by_the_same_question(title: str, watched: Scene, logins: dict[str, str]) -> None:
    found = asyncio.run(ask(logins["acme"], _sql(title, watched.seen)))

    own = [row for row in watched.seen.all_rows if row["tenant"] == "acme"]
    assert _table(found) == sorted(_expected(title, watched.seen, own), key=str)
