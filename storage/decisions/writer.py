"""The sink of record: decisions into Postgres, each once and chained, with what is counted and kept beside them.

A decision comes sealed: what its hash covers is what the worker wrote, and what the database makes its columns of. So
nothing here takes it apart, and nothing in between could make a row of other values than those that were hashed.
"""

from __future__ import annotations

import struct
from binascii import b2a_hex
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

import orjson

from detectors.errors import StorageError
from storage.chains.canonical import DOCUMENTS, FORM, MEASURED, MEASURES, PLAIN, Sealed, seal
from storage.chains.chain import ChainName, Head, RememberedHeads, link_hash, lock_heads, move_heads
from storage.decisions.bodies import ADD_BODIES, FORGET_ERASED
from storage.decisions.partitions import Partitions
from storage.decisions.rollups import ADD_ROLLUPS
from storage.postgres import Connection, Database, PartitionMadeError
from storage.reviews import ADD_REVIEWS
from storage.types import DecisionRecord, Role

# What else runs in the transaction of every batch, over pg_temp.incoming: the fields of DecisionRecord (`closed_at` in
# seconds), opened_at, seq, prev and hash of exactly the rows that are new. Before they are inserted, and after.
BEFORE: Final = (FORGET_ERASED,)
AFTER: Final = (ADD_BODIES, ADD_REVIEWS, ADD_ROLLUPS)  # rollups last: everybody waits for these rows

# What of the plain columns is no text.
_TYPES: Final = {
    "id": "uuid", "tenant_id": "bigint", "app_id": "bigint", "key_id": "bigint", "worker": "integer",
    "streaming": "boolean", "status": "integer", "scores_overflow": "boolean", "provider_saw_prompt": "boolean",
    "prompt_tokens": "bigint", "completion_tokens": "bigint",
}  # fmt: skip


def _texts(array: str) -> str:
    return f"CASE {array} WHEN '[]' THEN '{{}}' ELSE ARRAY(SELECT jsonb_array_elements_text({array})) END::text[]"


def _plain(place: int, name: str) -> str:
    return _texts(f"plain -> {place}") if name == "degraded" else f"(plain ->> {place})::{_TYPES.get(name, 'text')}"


_CLOSED_AT: Final = f"(plain ->> {len(PLAIN)})::bigint"  # microseconds since 2000
# Each column, and what of a sealed decision it is.
_EXPANDED: Final = {
    **{name: _plain(place, name) for place, name in enumerate(PLAIN)},
    **{name: f"(measured ->> {place})::float8" for place, name in enumerate(MEASURES)},
    **{name: f"documents -> {place}" for place, name in enumerate(DOCUMENTS)},
    "closed_at": f"{_CLOSED_AT} / 1e6 + extract(epoch FROM timestamptz '2000-01-01 00:00+00')",
    "closed": f"timestamptz '2000-01-01 00:00+00' + {_CLOSED_AT} * interval '1 microsecond'",
    "personal": "(erasable ->> 0)::jsonb",
    "subjects": _texts("erasable -> 1"),
    "bodies": "(erasable ->> 2)::jsonb",
    "canonical": str(FORM),
    **{name: name for name in ("seq", "prev", "hash")},
}
_KEPT: Final = tuple(name for name in _EXPANDED if name not in {"subjects", "bodies", "closed"})

_CREATE: Final = (
    "CREATE TEMP TABLE incoming (LIKE private.incoming INCLUDING GENERATED, closed timestamptz) ON COMMIT DROP"
)
_EXPAND: Final = f"""
INSERT INTO pg_temp.incoming ({", ".join(_EXPANDED)})
SELECT {", ".join(_EXPANDED.values())}
FROM (
    SELECT one -> 0 AS plain, one -> 1 AS documents, one -> 2 AS erasable, one -> 3 AS measured,
        (one ->> 4)::bigint AS seq, decode(one ->> 5, 'hex') AS prev, decode(one ->> 6, 'hex') AS hash
    FROM jsonb_array_elements($1::jsonb) AS one WHERE jsonb_array_length(one -> 1) = 4
    OFFSET 0  -- each is looked up once
) AS sealed
"""  # noqa: S608 - names of our own fields
_INSERT: Final = (
    f"INSERT INTO public.decisions (opened_at, {', '.join(_KEPT)}) "  # noqa: S608 - names of our own fields
    f"SELECT opened_at, {', '.join(_KEPT).replace('closed_at', 'closed')} "
    "FROM pg_temp.incoming "
    "ON CONFLICT (opened_at, id) DO NOTHING"
)
_STORED: Final = (
    "SELECT d.id FROM unnest($1::uuid[]) AS wanted (id)"
    " JOIN public.decisions AS d ON d.opened_at = private.opened_at(wanted.id) AND d.id = wanted.id"
)
_DAY: Final = 86_400_000
_LAST_DAY: Final = date.max.toordinal()
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


class _StoredAlreadyError(StorageError):
    """Some records of a batch are in the table: it comes a second time."""


class PostgresSink:
    """Writes each record once, however often it is given, as the next link of its chain.

    `heads` is what this process has seen committed; whoever signs its checkpoints shares it.
    """

    name: Final = "postgres"

    def __init__(self, database: Database, heads: RememberedHeads | None = None) -> None:
        self._database = database
        self._heads = heads or RememberedHeads()
        self._partitions = Partitions(database)

    async def write(self, records: Sequence[DecisionRecord]) -> None:
        """Store and chain all records, in their order, or none.

        Raises StorageError if one of them can never be stored (its tenant is gone, a value is out of range),
        DatabaseUnavailableError if the same records may be stored later.
        """
        await self.write_sealed(records)

    async def write_sealed(self, decisions: Sequence[DecisionRecord | Sealed]) -> None:
        """The same for decisions that are sealed already, or for which it is tried again here."""
        if not decisions:
            return
        sealed = (one if isinstance(one, Sealed) else seal(one) for one in decisions)
        first: dict[bytes, Sealed] = {}
        for one in sealed:
            first.setdefault(one.id, one)
        batch = tuple(first.values())
        await self._partitions.ensure(_days_of(first), datetime.now(UTC).date())
        try:
            await self._store(batch)
        except PartitionMadeError:
            await self._store(batch)
        except _StoredAlreadyError:
            # Only after a crash or a lost answer, so only then it is worth asking which ones.
            await self._store(batch, look_first=True)

    async def close(self) -> None:
        """Nothing of its own to let go of: the database belongs to who opened it."""

    async def write_dead_letter(self, record: bytes, reason: str) -> None:
        """Put aside a record, as JSON, that `write` refused; takes any bytes, so that nothing is ever lost twice.

        `reason` holds no text of a user. Raises StorageError.
        """
        text = record.decode("utf-8", "backslashreplace")
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError:
            document, text = None, orjson.dumps(text).decode()
        tenant_id = document.get("tenant_id") if isinstance(document, dict) else None
        async with self._database.transaction(Role.SHIP) as connection:
            await connection.execute(
                "INSERT INTO private.dead_letters (tenant_id, reason, record) VALUES ($1, $2, $3)",
                *(tenant_id if isinstance(tenant_id, int) and tenant_id < 2**63 else None, reason, text),
            )

    async def _store(self, batch: Sequence[Sealed], *, look_first: bool = False) -> None:
        async with self._database.transaction(Role.SHIP) as connection:
            stored = await lock_heads(connection, {ChainName(one.instance, one.tenant_id) for one in batch})
            heads = {name: self._heads.trusted(name, head) for name, head in stored.items()}
            if look_first:
                batch = await _not_stored(connection, batch)
            await connection.execute(_CREATE)
            try:
                rows = _linked(batch, heads)
            except (ValueError, struct.error) as exc:  # unchained: its message may quote the decision
                raise StorageError(f"a decision is not sealed as any: {type(exc).__name__}") from None
            if await connection.execute(_EXPAND, rows) != f"INSERT 0 {len(batch)}":
                raise StorageError("a decision's documents are no JSON")
            for statement in BEFORE:
                await connection.execute(statement)
            tag = await connection.execute(_INSERT)
            if tag != f"INSERT 0 {len(batch)}":
                raise _StoredAlreadyError("a batch came a second time")
            for statement in AFTER:
                await connection.execute(statement)
            await move_heads(connection, heads)
        self._heads.remember(heads)


def _linked(batch: Iterable[Sealed], heads: dict[ChainName, Head]) -> str:
    """Return what `_EXPAND` makes rows of, as JSON, and move `heads` on to the last links."""
    ends: dict[tuple[str, int], tuple[int, bytes, bytes]]
    ends = {name: (head.seq, head.hash, b2a_hex(head.hash)) for name, head in heads.items()}
    rows = []
    for one in batch:
        name = one.instance, one.tenant_id
        seq, prev, prev_hex = ends[name]
        seq += 1
        link = link_hash(prev, seq, one.canonical)
        link_hex = b2a_hex(link)
        ends[name] = seq, link, link_hex
        plain, documents, measures = one.parts()
        measured = _in_json(MEASURED.unpack(measures))
        rows.append(b'[%b,%b,%b,%b,%d,"%b","%b"]' % (plain, documents, one.erasable, measured, seq, prev_hex, link_hex))
    heads.update((ChainName(*name), Head(seq, link)) for name, (seq, link, _) in ends.items())
    return f"[{b','.join(rows).decode()}]"


def _in_json(measures: Sequence[float]) -> bytes:
    """Return measures as numbers, or as words where one is no number or a negative zero: JSON has none in Postgres."""
    numbers = orjson.dumps(measures)
    odd = b"null" in numbers or b"-" in numbers
    return orjson.dumps([repr(measure) for measure in measures]) if odd else numbers


def _days_of(ids: Iterable[bytes]) -> set[date]:
    """The days in which the ids were made. Raises StorageError."""
    days = set()
    for start in {one[:8] for one in ids}:  # 65 seconds, or the neighbouring day is looked at as well
        first = _number(start) << 16
        days |= {first // _DAY, (first + 0xFFFF) // _DAY}
    if max(days) + _EPOCH_DAY > _LAST_DAY:
        raise StorageError("a decision's id lies beyond the year 9999")
    return {date.fromordinal(_EPOCH_DAY + day) for day in days}


def _number(start: bytes) -> int:
    try:
        return int(start, 16)
    except ValueError:
        raise StorageError("a decision's id is a UUID") from None


async def _not_stored(connection: Connection, batch: Sequence[Sealed]) -> tuple[Sealed, ...]:
    """What of a batch is new. Its heads are held, so no other writer of these chains is adding any."""
    rows = await connection.fetch(_STORED, [UUID(one.id.decode()) for one in batch])
    known = {str(row["id"]).encode() for row in rows}
    return tuple(one for one in batch if one.id not in known)
