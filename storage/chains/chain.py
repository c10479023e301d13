"""The chain of decisions: one for each (instance, tenant), every link a hash over the one before it and over a row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from detectors.errors import DatabaseUnavailableError
from storage.postgres import Connection

GENESIS: Final = bytes(32)  # what the first link has for `prev`
_TAG: Final = b"promptshield.decision\n"  # no hash of ours over anything else begins so


class ChainName(NamedTuple):
    """Sorts in the order in which heads are locked."""

    instance: str
    tenant_id: int


@dataclass(frozen=True, slots=True)
class Head:
    """The last link of a chain; `Head(0, GENESIS)` before there is one."""

    seq: int
    hash: bytes


NOTHING: Final = Head(0, GENESIS)


def link_hash(prev: bytes, seq: int, canonical: bytes) -> bytes:
    """Return the SHA-256 of link `seq` (from 1) after the one that hashed to `prev`, over a row's canonical form."""
    return hashlib.sha256(_TAG + prev + seq.to_bytes(8, "big") + canonical).digest()


class RememberedHeads:
    """The heads that this process has seen committed: what the database says about them later is checked against it."""

    def __init__(self) -> None:
        self._heads: dict[ChainName, Head] = {}

    def trusted(self, name: ChainName, stored: Head) -> Head:
        """Return from where the chain goes on: what is stored, unless links are gone or changed that we saw committed.

        Then ours: the next link or checkpoint names what was there, and `verify` finds what is missing. A
        stored head that is ahead is taken: we may have committed without hearing of it.
        """
        remembered = self._heads.get(name, NOTHING)
        return stored if stored.seq > remembered.seq else remembered if remembered.seq else stored

    def remember(self, heads: Mapping[ChainName, Head]) -> None:
        self._heads.update(heads)

    def of_instance(self, instance: str) -> dict[ChainName, Head]:
        return {name: head for name, head in self._heads.items() if name.instance == instance}


_LOCK: Final = (
    "SELECT h.instance, h.tenant_id, h.seq, h.hash FROM private.chain_heads AS h"
    " JOIN unnest($1::text[], $2::bigint[]) AS wanted (instance, tenant_id)"
    " ON h.instance = wanted.instance AND h.tenant_id = wanted.tenant_id"
    # A fixed order, so that two writers of the same chains wait instead of deadlocking.
    " ORDER BY h.instance, h.tenant_id FOR UPDATE OF h"
)
_BEGIN: Final = (
    "INSERT INTO private.chain_heads (instance, tenant_id, seq, hash)"
    " SELECT instance, tenant_id, 0, $3 FROM unnest($1::text[], $2::bigint[]) AS missing (instance, tenant_id)"
    " ORDER BY instance, tenant_id ON CONFLICT DO NOTHING"
)
_MOVE: Final = (
    "UPDATE private.chain_heads AS h SET seq = moved.seq, hash = moved.hash"
    " FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bytea[]) AS moved (instance, tenant_id, seq, hash)"
    " WHERE h.instance = moved.instance AND h.tenant_id = moved.tenant_id"
)


async def lock_heads(connection: Connection, names: Iterable[ChainName]) -> dict[ChainName, Head]:
    """Return the stored heads of the chains, held until the transaction ends; what has none gets one.

    Raises StorageError if a tenant does not exist.
    """
    wanted = sorted(set(names))
    heads = await _locked(connection, wanted)
    if missing := [name for name in wanted if name not in heads]:
        await connection.execute(_BEGIN, *_columns(missing), GENESIS)
        heads = await _locked(connection, wanted)
    if len(heads) != len(wanted):
        raise DatabaseUnavailableError("the head of a chain went away while it was being taken")
    return heads


async def move_heads(connection: Connection, heads: Mapping[ChainName, Head]) -> None:
    """Store heads that `lock_heads` holds."""
    moved = heads.values()
    await connection.execute(_MOVE, *_columns(heads), [head.seq for head in moved], [head.hash for head in moved])


async def _locked(connection: Connection, names: list[ChainName]) -> dict[ChainName, Head]:
    rows = await connection.fetch(_LOCK, *_columns(names))
    return {ChainName(row["instance"], row["tenant_id"]): Head(row["seq"], row["hash"]) for row in rows}


def _columns(names: Iterable[ChainName]) -> tuple[list[str], list[int]]:
    names = list(names)
    return [name.instance for name in names], [name.tenant_id for name in names]
