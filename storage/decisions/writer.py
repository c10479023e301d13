"""The sink of record: decisions into Postgres, each once and chained, with what is counted and kept beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

import orjson

from detectors.errors import StorageError
from storage.chains.canonical import COPIED, FORM, Sealed, seal
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

_COPIED: Final = (*COPIED, "canonical", "seq", "prev", "hash")
_KEPT: Final = tuple(name for name in _COPIED if name not in {"subjects", "bodies"})

# COPY is refused on a table with row-level security, hence the detour over a table of our own.
_CREATE: Final = "CREATE TEMP TABLE incoming (LIKE private.incoming INCLUDING GENERATED) ON COMMIT DROP"
_INSERT: Final = (
    f"INSERT INTO public.decisions (opened_at, {', '.join(_KEPT)}) "  # noqa: S608 - names of our own fields
    f"SELECT opened_at, {', '.join(_KEPT).replace('closed_at', 'to_timestamp(closed_at)')} "
    "FROM pg_temp.incoming "
    "ON CONFLICT (opened_at, id) DO NOTHING"
)
_STORED: Final = (
    "SELECT d.id::text FROM unnest($1::uuid[]) AS wanted (id)"
    " JOIN public.decisions AS d ON d.opened_at = private.opened_at(wanted.id) AND d.id = wanted.id"
)
_DAY: Final = 86_400_000
_LAST_DAY: Final = date.max.toordinal()
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()

# A record, and what of it is hashed and stored.
_Entry = tuple[DecisionRecord, Sealed]


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
        if not records:
            return
        batch = {record.id: (record, seal(record)) for record in reversed(records)}
        entries = tuple(reversed(batch.values()))
        await self._partitions.ensure(_days_of(batch), datetime.now(UTC).date())
        try:
            await self._store(entries)
        except PartitionMadeError:
            await self._store(entries)
        except _StoredAlreadyError:
            # Only after a crash or a lost answer, so only then it is worth asking which ones.
            await self._store(entries, look_first=True)

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

    async def _store(self, entries: Sequence[_Entry], *, look_first: bool = False) -> None:
        async with self._database.transaction(Role.SHIP) as connection:
            stored = await lock_heads(
                connection, {ChainName(record.instance, record.tenant_id) for record, _ in entries}
            )
            heads = {name: self._heads.trusted(name, head) for name, head in stored.items()}
            if look_first:
                entries = await _not_stored(connection, entries)
            await connection.execute(_CREATE)
            await _copy(connection, _link(entries, heads))
            for statement in BEFORE:
                await connection.execute(statement)
            tag = await connection.execute(_INSERT)
            if tag != f"INSERT 0 {len(entries)}":
                raise _StoredAlreadyError("a batch came a second time")
            for statement in AFTER:
                await connection.execute(statement)
            await move_heads(connection, heads)
        self._heads.remember(heads)


def _link(entries: Iterable[_Entry], heads: dict[ChainName, Head]) -> list[tuple[Any, ...]]:
    """Return the rows of `_COPIED`, and move `heads` on to the last links."""
    rows = []
    ends = {(name.instance, name.tenant_id): (head.seq, head.hash) for name, head in heads.items()}
    for record, (canonical, values) in entries:
        name = (record.instance, record.tenant_id)
        seq, prev = ends[name]
        link = link_hash(prev, seq + 1, canonical)
        rows.append((*values, FORM, seq + 1, prev, link))
        ends[name] = (seq + 1, link)
    heads.update((ChainName(*name), Head(*end)) for name, end in ends.items())
    return rows


def _days_of(ids: Iterable[str]) -> set[date]:
    """The days in which the ids were made. Raises StorageError."""
    days = set()
    for start in {id_[:8] for id_ in ids}:  # 65 seconds, or the neighbouring day is looked at as well
        first = int(start, 16) << 16
        days |= {first // _DAY, (first + 0xFFFF) // _DAY}
    if max(days) + _EPOCH_DAY > _LAST_DAY:
        raise StorageError("a decision's id lies beyond the year 9999")
    return {date.fromordinal(_EPOCH_DAY + day) for day in days}


async def _copy(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    try:
        await connection.copy_records_to_table("incoming", schema_name="pg_temp", columns=_COPIED, records=rows)
    except (TypeError, ValueError, OverflowError) as exc:
        # The driver encodes before it sends: an integer too large for its column, a word where a number belongs.
        raise StorageError(f"a decision holds a value that its column cannot: {type(exc).__name__}") from exc


async def _not_stored(connection: Connection, entries: Sequence[_Entry]) -> tuple[_Entry, ...]:
    """What of a batch is new. Its heads are held, so no other writer of these chains is adding any."""
    rows = await connection.fetch(_STORED, [record.id for record, _ in entries])
    known = {row["id"] for row in rows}
    return tuple(entry for entry in entries if entry[0].id not in known)
