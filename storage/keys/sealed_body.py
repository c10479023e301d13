"""A body as it is stored: compressed, padded, encrypted for one decision, and bound to where it belongs."""

from __future__ import annotations

import base64
import secrets
import zlib
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from detectors.errors import StorageError
from storage.keys.data_keys import DataKey
from storage.keys.encryption import NONCE_SIZE

LONGEST_PLAIN: Final = 1 << 20  # bytes of a body that are kept; the rest is cut off
LONGEST_SEALED: Final = 288 << 10  # bytes of ciphertext: two bodies in base64 must fit into one journal record
_SHORTEST_CUT: Final = 256 << 10
_PADDED_TO: Final = 256  # bytes: lengths after compression tell less about what was repeated
_LEVEL: Final = 1  # JSON shrinks to a third even so, in a fifth of the time


class BodyForm(StrEnum):
    MASKED = "masked"
    ENCRYPTED = "encrypted"


@dataclass(frozen=True, slots=True)
class BodyPlace:
    """Where a body belongs; its ciphertext opens nowhere else."""

    decision_id: str
    direction: str
    form: str


@dataclass(frozen=True, slots=True)
class SealedBody:
    """`cut` tells that the body was longer than what is kept of it."""

    place: BodyPlace
    generation: int
    nonce: bytes
    ciphertext: bytes
    cut: bool

    def as_json(self, until: date) -> dict[str, str | int | bool]:
        """Return the body as the journal carries it. `until` is the last day (UTC) on which it may be kept."""
        return {
            "direction": self.place.direction,
            "form": self.place.form,
            "key": self.generation,
            "nonce": base64.b64encode(self.nonce).decode(),
            "data": base64.b64encode(self.ciphertext).decode(),
            "cut": self.cut,
            "until": until.isoformat(),
        }


def seal(plain: bytes, place: BodyPlace, key: DataKey) -> SealedBody:
    """Encrypt a body under its tenant's data key; what is too long is cut. Takes about 10 ms for a mebibyte."""
    packed, cut = _pack(plain)
    nonce = secrets.token_bytes(NONCE_SIZE)
    cipher = AESGCM(key.of_decision(place.decision_id))
    return SealedBody(place, key.generation, nonce, cipher.encrypt(nonce, packed, _bound_to(place, key, cut=cut)), cut)


def unseal(sealed: SealedBody, key: DataKey) -> bytes:
    """Return the body. Raises StorageError if it was altered, or moved from another decision or tenant."""
    cipher = AESGCM(key.of_decision(sealed.place.decision_id))
    try:
        packed = cipher.decrypt(sealed.nonce, sealed.ciphertext, _bound_to(sealed.place, key, cut=sealed.cut))
    except (InvalidTag, ValueError) as exc:
        place = sealed.place
        raise StorageError(f"the {place.direction} body of {place.decision_id} is not what was stored") from exc
    return zlib.decompressobj().decompress(packed, LONGEST_PLAIN)


def _pack(plain: bytes) -> tuple[bytes, bool]:
    """Compress, and cut where even that is too long: what hardly shrinks is mostly media."""
    kept = plain[:LONGEST_PLAIN]
    packed = zlib.compress(kept, _LEVEL)
    while len(packed) > LONGEST_SEALED - _PADDED_TO and len(kept) > _SHORTEST_CUT:
        kept = kept[: max(len(kept) // 2, _SHORTEST_CUT)]
        packed = zlib.compress(kept, _LEVEL)
    return packed + bytes(-len(packed) % _PADDED_TO), len(kept) < len(plain)


def _bound_to(place: BodyPlace, key: DataKey, *, cut: bool) -> bytes:
    where = f"{key.tenant_id}|{place.decision_id}|{place.direction}|{place.form}"
    return f"promptshield body 1|{where}|{key.generation}|{cut}".encode()
