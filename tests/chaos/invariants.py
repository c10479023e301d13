"""What must hold when the dust has settled: the clients' ledger against what the database says."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from storage.postgres import Database
from storage.types import Role
from tests.chaos.traffic import Ledger
from tests.harness import Product

_ROWS = (
    "SELECT d.id::text AS id, d.request_id, d.outcome, t.slug AS tenant"
    " FROM public.decisions AS d JOIN public.tenants AS t ON t.id = d.tenant_id"
)
_ROLLUPS = (
    "SELECT t.slug AS tenant, sum(r.decisions)::bigint AS decisions FROM public.rollups AS r"
    " JOIN public.tenants AS t ON t.id = r.tenant_id WHERE r.grain = 'minute' AND r.dimension = 'all' GROUP BY t.slug"
)
_DEAD = "SELECT count(*) FROM private.dead_letters"


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    request_id: str
    outcome: str
    tenant: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database holds: decisions, their sums in the rollups by tenant, and how many were refused."""

    rows: tuple[Row, ...]
    rollups: Mapping[str, int]
    dead_letters: int


def stored_when_settled(product: Product, ledger: Ledger, patience: float) -> Stored:
    """Return what is stored once every answer has its row and nothing more arrives, or when patience ends."""
    deadline, before = time.monotonic() + patience, -1
    wanted = {answer.decision for answer in ledger.answered.values()}
    while True:
        stored = asyncio.run(_read(product))
        settled = len(stored.rows) == before and wanted <= {row.id for row in stored.rows}
        if settled or time.monotonic() > deadline:
            return stored
        before = len(stored.rows)


def broken(ledger: Ledger, stored: Stored) -> Sequence[str]:
    """Return every invariant that does not hold, one line each; nothing if all is well."""
    rows = {row.id: row for row in stored.rows}
    answers = ledger.answered.values()
    requests = Counter(row.request_id for row in stored.rows if row.request_id.startswith(ledger.run))
    per_tenant = Counter(row.tenant for row in stored.rows)
    checks = {
        "answered without a row": [a.decision for a in answers if a.decision not in rows],
        "a row of another tenant than its key's": [
            a.decision for a in answers if a.decision in rows and rows[a.decision].tenant != a.tenant
        ],
        "a decision stored twice": [] if len(rows) == len(stored.rows) else ["ids"],
        "a request with two rows": [name for name, count in requests.items() if count > 1],
        "a row that nobody asked for": [name for name in requests if name not in ledger.offered],
        "a row of somebody whom nobody knew": [name for name in requests if name in ledger.unidentified],
        "rollups that are not the sum of the rows": [] if dict(per_tenant) == stored.rollups else [str(stored.rollups)],
        "dead letters": [str(stored.dead_letters)] if stored.dead_letters else [],
    }
    return [f"{what}: {len(found)} ({found[0]})" for what, found in checks.items() if found]


def chain_problems(product: Product) -> Sequence[str]:
    """Return what `audit verify` has to say against the log; nothing if all is well."""
    verified = product.run("audit", "verify", check=False)
    if verified.returncode == 0:
        return []
    return [f"audit verify: {(verified.stdout + verified.stderr).strip()[:500]}"]


async def _read(product: Product) -> Stored:
    urls = orjson.loads((product.data / "keys" / "runtime.json").read_bytes())
    database = await Database.connect(urls["database"], size=1)
    try:
        async with database.transaction(Role.READER) as connection:
            rows = await connection.fetch(_ROWS)
            rollups = await connection.fetch(_ROLLUPS)
            dead = await connection.fetchval(_DEAD)
    finally:
        await database.close()
    decisions = tuple(Row(r["id"], r["request_id"], r["outcome"], r["tenant"]) for r in rows)
    return Stored(decisions, {r["tenant"]: r["decisions"] for r in rollups}, dead)
