"""Signed statements about the chains: each names the hash of the one before it, so that none can be left out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

import orjson

from detectors.errors import StorageError
from storage.chains.signing import SigningKey, is_signed

VERSION: Final = 1
FIRST: Final = bytes(32)  # what the first statement has for `previous`
_TAG: Final = b"promptshield.statement\n"

JsonObject = dict[str, Any]


class StatementKind(StrEnum):
    """What a statement says, and what its `content` holds; hashes and keys in hex.

    checkpoint: `heads`, a list of [tenant id, seq, hash] of this instance's chains that moved since the last one, and
    `admin_audit`, [seq, hash] of the book of what administrators did, if there is anything in it.
    retirement: `reason`, and `ranges`, a list of `RetiredRange`s of any instance's chains.
    succession: `successions`, the `Succession`s from the key that signed so far to the one that signs this.
    """

    CHECKPOINT = "checkpoint"
    RETIREMENT = "retirement"
    SUCCESSION = "succession"


@dataclass(frozen=True, slots=True)
class RetiredRange:
    """Links `first` to `last` of a chain were removed on purpose.

    `before` is the hash that the first of them follows, `after` the hash of the last.
    """

    instance: str
    tenant_id: int
    first: int
    last: int
    before: bytes
    after: bytes

    def as_json(self) -> list[Any]:
        return [self.instance, self.tenant_id, self.first, self.last, self.before.hex(), self.after.hex()]

    @classmethod
    def from_json(cls, document: list[Any]) -> Self:
        """Raises TypeError or ValueError for what is none."""
        instance, tenant_id, first, last, before, after = document
        return cls(instance, tenant_id, first, last, bytes.fromhex(before), bytes.fromhex(after))


@dataclass(frozen=True, slots=True)
class Statement:
    """`number` counts from 1 within an `instance`; `at` is in microseconds since the epoch; `key` is a key's id."""

    kind: StatementKind
    instance: str
    number: int
    previous: bytes
    at: int
    key: str
    content: JsonObject
    signature: bytes = b""

    def message(self) -> bytes:
        """What is signed and hashed: a tag, and canonical JSON (sorted keys, no spaces)."""
        body = {
            "version": VERSION,
            "kind": self.kind,
            "instance": self.instance,
            "number": self.number,
            "previous": self.previous.hex(),
            "at": self.at,
            "key": self.key,
            "content": self.content,
        }
        return _TAG + orjson.dumps(body, option=orjson.OPT_SORT_KEYS)

    def hash(self) -> bytes:
        return hashlib.sha256(self.message()).digest()

    def signed(self, key: SigningKey) -> Self:
        return type(self)(*self._unsigned(), key.sign(self.message()))

    def is_signed_by(self, public: bytes) -> bool:
        return is_signed(public, self.signature, self.message())

    def line(self) -> bytes:
        """As it is stored and published: one line of JSON, without its line end."""
        return orjson.dumps(
            {"signature": self.signature.hex(), "statement": orjson.Fragment(self.message()[len(_TAG) :])}
        )

    @classmethod
    def from_line(cls, line: bytes | str) -> Self:
        """Raises StorageError for what is no statement of this version; whether it is signed is not looked at."""
        try:
            document = orjson.loads(line)
            body = document["statement"]
            if body["version"] != VERSION:
                raise StorageError("a statement of a newer version")
            return cls(
                StatementKind(body["kind"]),
                str(body["instance"]),
                int(body["number"]),
                bytes.fromhex(body["previous"]),
                int(body["at"]),
                str(body["key"]),
                dict(body["content"]),
                bytes.fromhex(document["signature"]),
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise StorageError(f"no statement: {type(exc).__name__}") from exc

    def _unsigned(self) -> tuple[StatementKind, str, int, bytes, int, str, JsonObject]:
        return (self.kind, self.instance, self.number, self.previous, self.at, self.key, self.content)
