"""Reading chains back: which there are, their rows as links, and the rows that are outside of any."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from storage.chains.canonical import DOCUMENTS, FORM, MEASURES, PLAIN, canonical_of_row, opened_microseconds
from storage.chains.chain import ChainName, Head, link_hash
from storage.chains.check import Link
from storage.postgres import Connection, Row

# Whether `personal` (JSON text) of a tenant has the digest that the chain vouches for.
FitsDigest = Callable[[int, str, str], bool]

_BATCH: Final = 2000  # rows; two batches are in memory
_SLICE: Final = 50  # rows between two looks at the connection, about a millisecond
_PLAIN_SELECTED: Final = ", ".join("id::text" if name == "id" else name for name in PLAIN)
_DOCUMENTS_SELECTED: Final = "'[' || " + " || ',' || ".join(f"{name}::text" for name in DOCUMENTS) + " || ']'"
_MEASURES_SELECTED: Final = " || ".join(f"float8send({name})" for name in MEASURES)
# Times and measures as Postgres keeps them: it is less work, and no value that somebody put there fails to be read.
_SELECTED: Final = (
    f"{_PLAIN_SELECTED}, timestamptz_send(closed_at), {_DOCUMENTS_SELECTED}, {_MEASURES_SELECTED},"
    " canonical, seq, prev, hash, personal, timestamptz_send(opened_at)"
)
_OPEN: Final = (
    f"DECLARE links NO SCROLL CURSOR FOR SELECT {_SELECTED} FROM public.decisions"  # noqa: S608 - our own names
    " WHERE instance = $1 AND tenant_id = $2 AND seq > $3 AND seq <= $4 ORDER BY seq"
)
_AT: Final = (
    f"SELECT {_SELECTED} FROM public.decisions"  # noqa: S608 - our own names
    " WHERE instance = $1 AND tenant_id = $2 AND seq = ANY($3)"
)
_FETCH: Final = f"FETCH {_BATCH} FROM links"
_CLOSE: Final = "CLOSE links"
# From one pair to the next through the index, however many rows lie between.
_NAMES: Final = """
WITH RECURSIVE chains AS (
    (SELECT instance, tenant_id FROM public.decisions ORDER BY instance, tenant_id LIMIT 1)
    UNION ALL
    SELECT following.instance, following.tenant_id FROM chains CROSS JOIN LATERAL (
        SELECT d.instance, d.tenant_id FROM public.decisions AS d
        WHERE (d.instance, d.tenant_id) > (chains.instance, chains.tenant_id)
        ORDER BY d.instance, d.tenant_id LIMIT 1
    ) AS following
)
SELECT instance, tenant_id FROM chains
"""
_HEADS: Final = "SELECT instance, tenant_id, seq, hash FROM private.chain_heads WHERE seq > 0"
_REACH: Final = (
    "SELECT min(seq) AS first, max(seq) AS last FROM public.decisions"
    " WHERE instance = $1 AND tenant_id = $2 AND opened_at >= $3 AND opened_at < $4"
)
# Links count from 1, so what lies before is outside of the chain as much as what has no number.
_UNCHAINED: Final = (
    "SELECT count(*) FROM public.decisions WHERE instance = $1 AND tenant_id = $2 AND (seq IS NULL OR seq < 1)"
    " AND opened_at >= $3 AND opened_at < $4"
)
_LATE: Final = (
    "SELECT id::text FROM public.decisions WHERE instance = $1 AND tenant_id = $2 AND (seq IS NULL OR seq < 1)"
    " AND opened_at >= $3 AND opened_at < $4 ORDER BY opened_at, id LIMIT 1000"
)
_ID_AT, _TENANT_AT, _DIGEST_AT = (PLAIN.index(name) for name in ("id", "tenant_id", "personal_digest"))


@dataclass(frozen=True, slots=True)
class Span:
    """Times of opening: [since, until)."""

    since: datetime
    until: datetime


async def chain_names(connection: Connection) -> set[ChainName]:
    """The (instance, tenant) pairs that have rows, chained or not."""
    return {ChainName(row["instance"], row["tenant_id"]) for row in await connection.fetch(_NAMES)}


async def stored_heads(connection: Connection) -> dict[ChainName, Head]:
    rows = await connection.fetch(_HEADS)
    return {ChainName(row["instance"], row["tenant_id"]): Head(row["seq"], row["hash"]) for row in rows}


async def reach(connection: Connection, name: ChainName, span: Span) -> tuple[int, int] | None:
    """The lowest and the highest link that was opened in `span`."""
    row = await connection.fetchrow(_REACH, *name, span.since, span.until)
    return None if row is None or row["first"] is None else (row["first"], row["last"])


async def count_unchained(connection: Connection, name: ChainName, span: Span) -> int:
    count: int = await connection.fetchval(_UNCHAINED, *name, span.since, span.until)
    return count


async def unchained_ids(connection: Connection, name: ChainName, span: Span) -> list[str]:
    """The first thousand."""
    return [row["id"] for row in await connection.fetch(_LATE, *name, span.since, span.until)]


async def flaws_at(connection: Connection, name: ChainName, seqs: Sequence[int]) -> list[str]:
    """What is wrong, each by itself, with the rows at some links of a chain."""
    links = [_link(row, None) for row in await connection.fetch(_AT, *name, seqs)]
    return [link.flaw for link in links if link.flaw]


async def read_links(
    connection: Connection,
    name: ChainName,
    after: int,
    until: int,
    take: Callable[[Link], None],
    fits_digest: FitsDigest | None = None,
) -> None:
    """Give `take` the rows of a chain with after < seq <= until, in the order of seq, with few thousand in memory.

    Without `fits_digest` personal data are not looked at.
    """
    await connection.execute(_OPEN, *name, after, until)
    rows = await connection.fetch(_FETCH)
    while rows:
        async with asyncio.TaskGroup() as group:
            # The database works on the next rows while we hash these, if the loop now and then sends and receives.
            following = group.create_task(_fetch(connection))
            for start in range(0, len(rows), _SLICE):
                for row in rows[start : start + _SLICE]:
                    take(_link(row, fits_digest))
                await asyncio.sleep(0)
        rows = following.result()
    await connection.execute(_CLOSE)


async def _fetch(connection: Connection) -> Sequence[Row]:
    return await connection.fetch(_FETCH)


def _link(row: Row, fits_digest: FitsDigest | None) -> Link:
    *plain, closed, documents, measures, form, seq, prev, link, personal, opened = row.values()
    decision_id, tenant_id, digest = plain[_ID_AT], plain[_TENANT_AT], plain[_DIGEST_AT]
    if form != FORM:
        flaw = f"the row names form {form}, which this version does not know"
        return Link(seq, prev or b"", link or b"", decision_id, b"", flaw)
    canonical, flaw = b"", ""
    try:
        plain.append(int.from_bytes(closed, signed=True))
        canonical = canonical_of_row(plain, documents, measures)
    except (TypeError, ValueError):  # TypeError: somebody allowed NULL where there was none
        flaw = "the row holds what no record can"
    if not flaw and (not prev or link != link_hash(prev, seq, canonical)):
        flaw = "the row does not have the hash that it was chained with"
    elif int.from_bytes(opened, signed=True) != opened_microseconds(decision_id):
        flaw = "the row does not lie at the time inside its id"
    elif fits_digest and personal is not None and not fits_digest(tenant_id, personal, digest):
        flaw = "the personal data are not those of the row"
    return Link(seq, prev or b"", link or b"", decision_id, canonical, flaw)
