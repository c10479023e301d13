"""Thirty days of made-up decisions, written by the database itself: millions of rows in minutes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from storage.decisions.rollups import ADD_ROLLUPS
from storage.postgres import Session

DAYS: Final = 30
TENANTS: Final = 20

# A few tenants have most of the traffic. 8 % of it has findings, 1 % is blocked, 0.5 % fails upstream; one in ten
# thousand names a rare model or a rare rule, one in five has a request id of the client's.
_MAKE_DAY: Final = """
INSERT INTO pg_temp.incoming
SELECT id, tenants[place], apps[place * 3 - n % 3], 1, 'bench', n % 4, 'proxy',
    CASE WHEN n % 5 = 0 THEN md5(id::text) ELSE id::text END, '/v1/chat/completions', 'openai',
    CASE WHEN draw < 0.0001 THEN 'rare-model' ELSE 'model-' || n % 8 END, 'openai', n % 2 = 0,
    CASE WHEN hit < 0.01 THEN 'blocked_request' WHEN hit > 0.995 THEN 'upstream_error' ELSE 'answered' END,
    CASE WHEN hit < 0.01 THEN 400 ELSE 200 END, '', '', 'enforce', action, action, action, '',
    CASE WHEN hit < 0.08 THEN category ELSE '' END, CASE WHEN hit < 0.08 THEN 0.9 ELSE 0 END,
    CASE WHEN hit < 0.08 THEN jsonb_build_array(jsonb_build_object(
        'direction', 'request', 'origin', 'user', 'kind', '', 'detector', 'patterns', 'count', 1, 'confidence', 0.9,
        'category', category, 'rule', CASE WHEN draw < 0.001 THEN 'PS-RARE-001' ELSE 'PS-INJ-' || n % 60 END,
        'pointer', '/messages/0/content', 'content', 'hmac:' || md5((n % 50000)::text), 'action', action,
        'policy_rule', 'attacks')) ELSE '[]' END,
    false, '{"at": 1, "app": "default"}', '{"request": {"scanned": 3, "cached": 1, "skipped": 0, "unscanned": {}}}',
    '{"request": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}', '{}', 'bench', 'sha256:0', 'sha256:1', true, 200, 100,
    1 + draw * 3, 300 + draw * 900, 301 + draw * 900, extract(epoch FROM at), '{"network": "192.0.2.7"}', '', '{}',
    '[]', 1, n, '\\x00', '\\x00'
FROM (
    SELECT *, (ARRAY['pii', 'prompt_injection', 'credential', 'jailbreak'])[1 + n % 4] AS category,
        CASE WHEN hit < 0.01 THEN 'block' WHEN hit < 0.03 THEN 'mask' WHEN hit < 0.08 THEN 'flag' ELSE 'allow' END
            AS action,
        1 + (random() ^ 3 * (cardinality(tenants) - 1))::int AS place,
        (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0')
            || '7' || left(noise, 3) || '8' || right(noise, 15))::uuid AS id
    FROM (
        SELECT n, random() AS hit, random() AS draw, md5(random()::text) AS noise, $3::bigint[] AS tenants,
            $4::bigint[] AS apps, private.start_of($1) + n * (interval '1 day' / $2::int) AS at
        FROM generate_series(0, $2::int - 1) AS n
    ) AS drawn
) AS rows
"""
_STORE: Final = """
INSERT INTO public.decisions (opened_at, {0}, closed_at, canonical, seq, prev, hash)
SELECT opened_at, {0}, to_timestamp(closed_at), canonical, seq, prev, hash FROM pg_temp.incoming
"""
_SHARED: Final = (
    "SELECT string_agg(attname, ', ') FROM pg_attribute WHERE attrelid = 'private.incoming'::regclass AND attnum > 0"
    " AND attname NOT IN ('opened_at', 'closed_at', 'canonical', 'seq', 'prev', 'hash', 'subjects', 'bodies')"
)


@dataclass(frozen=True, slots=True)
class Owners:
    """Ids of tenants, those with the most traffic first, and of their apps, three each."""

    tenants: list[int]
    apps: list[int]


async def make_owners(owner_url: str) -> Owners:
    async with Session.open(owner_url) as session, session.transaction() as connection:
        tenants = [
            await connection.fetchval("SELECT private.create_tenant($1, '')", f"bench-{n}") for n in range(TENANTS)
        ]
        await connection.execute(
            "INSERT INTO public.apps (tenant_id, name) SELECT t, a FROM unnest($1::bigint[]) AS t,"
            " unnest(ARRAY['search', 'support']) AS a",
            tenants,
        )
        apps = await connection.fetch("SELECT id FROM public.apps ORDER BY tenant_id, id")
        return Owners(tenants, [row["id"] for row in apps])


async def fill(owner_url: str, rows: int, owners: Owners, report: Callable[[str], None]) -> None:
    """Store `rows` decisions of the last thirty days with their rollups, two days at a time; then ANALYZE."""
    today = datetime.now(UTC).date()
    days = iter([today - timedelta(back) for back in range(DAYS)])

    async def fill_some() -> None:
        async with Session.open(owner_url) as session:
            for day in days:
                await _fill_day(session, day, rows // DAYS, owners)
                report(f"filled {day}")

    async with asyncio.TaskGroup() as group:
        group.create_task(fill_some())
        group.create_task(fill_some())
    async with Session.open(owner_url) as session, session.transaction() as connection:
        await connection.execute("ANALYZE public.decisions, public.rollups")


async def _fill_day(session: Session, day: date, rows: int, owners: Owners) -> None:
    async with session.transaction() as connection:
        await connection.fetchval("SELECT private.create_partition($1)", day)
    async with session.transaction() as connection:
        await connection.execute(
            "CREATE TEMP TABLE incoming (LIKE private.incoming INCLUDING GENERATED) ON COMMIT DROP"
        )
        await connection.execute(_MAKE_DAY, day, rows, owners.tenants, owners.apps)
        shared = await connection.fetchval(_SHARED)
        await connection.execute(_STORE.format(shared))
        await connection.execute(ADD_ROLLUPS)
