"""The signing key of the house (Ed25519, RFC 8032): signing, believing, and how one key hands over to the next."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from detectors.errors import StorageError

FOLDER: Final = "signing.d"  # beside the key: how earlier keys handed over
_HANDOVER: Final = b"promptshield.succession\n"


class SigningKey:
    """Signs; never shows its secret."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()
        self.id = key_id(self.public)

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def key_id(public: bytes) -> str:
    """Return the name (16 hex digits) that statements call a public key by."""
    return hashlib.sha256(public).hexdigest()[:16]


def is_signed(public: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Succession:
    """The old key's word that the new one speaks from now on; both are public keys of 32 bytes."""

    old: bytes
    new: bytes
    signature: bytes

    @classmethod
    def announce(cls, old: SigningKey, new: SigningKey) -> Self:
        return cls(old.public, new.public, old.sign(_HANDOVER + old.public + new.public))

    @property
    def holds(self) -> bool:
        return is_signed(self.old, self.signature, _HANDOVER + self.old + self.new)

    def as_json(self) -> dict[str, str]:
        return {"old": self.old.hex(), "new": self.new.hex(), "signature": self.signature.hex()}

    @classmethod
    def from_json(cls, document: dict[str, str]) -> Self:
        """Raises KeyError, TypeError or ValueError for what is none."""
        return cls(*(bytes.fromhex(document[name]) for name in ("old", "new", "signature")))


def read_successions(keys_folder: Path) -> tuple[Succession, ...]:
    """Return what rotations left in `<keys>/signing.d/`. Raises StorageError for a file that is no succession."""
    found = []
    for file in sorted((keys_folder / FOLDER).glob("*.json")):
        try:
            succession = Succession.from_json(orjson.loads(file.read_bytes()))
        except (OSError, KeyError, TypeError, ValueError) as exc:
            raise StorageError(f"{file} is no succession of signing keys: {type(exc).__name__}") from exc
        if not succession.holds:
            raise StorageError(f"{file}: the old key did not sign this")
        found.append(succession)
    return tuple(found)


def path_between(old_id: str, new_id: str, successions: Iterable[Succession]) -> tuple[Succession, ...]:
    """Return the successions that lead from one key to another, in order; empty if none do."""
    ways: dict[str, tuple[Succession, ...]] = {old_id: ()}
    known = tuple(successions)
    for _ in known:  # the longest way takes each succession once
        for step in known:
            if key_id(step.old) in ways and key_id(step.new) not in ways:
                ways[key_id(step.new)] = (*ways[key_id(step.old)], step)
    return ways.get(new_id, ())
