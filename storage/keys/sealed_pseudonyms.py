"""The values behind the pseudonyms in a provider's object: encrypted for that object, and bound to where it lives."""

from __future__ import annotations

import hashlib
import secrets
import zlib
from collections.abc import Mapping
from typing import Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from detectors.errors import StorageError
from storage.keys.data_keys import DataKey
from storage.keys.encryption import NONCE_SIZE
from storage.types import ObjectName

MOST_VALUES: Final = 5000  # of one object; of more, those that came last are kept
LONGEST: Final = 256 << 10  # bytes of all of them as JSON
_GENERATION_SIZE: Final = 4


def generation_of(sealed: bytes) -> int:
    """Return which generation of the tenant's data keys opens it."""
    return int.from_bytes(sealed[:_GENERATION_SIZE], "big")


def seal_pseudonyms(values: Mapping[str, str], upstream: str, name: ObjectName, key: DataKey) -> bytes:
    """Return values by pseudonym, encrypted: the key's generation, a nonce, the ciphertext."""
    kept = dict(list(values.items())[-MOST_VALUES:])
    plain = orjson.dumps(kept)
    while len(plain) > LONGEST:
        kept = dict(list(kept.items())[len(kept) // 2 + 1 :])
        plain = orjson.dumps(kept)
    nonce = secrets.token_bytes(NONCE_SIZE)
    ciphertext = AESGCM(_key(key, upstream, name)).encrypt(nonce, zlib.compress(plain), _bound_to(key, upstream, name))
    return key.generation.to_bytes(_GENERATION_SIZE, "big") + nonce + ciphertext


def unseal_pseudonyms(sealed: bytes, upstream: str, name: ObjectName, key: DataKey) -> dict[str, str]:
    """Return values by pseudonym. Raises StorageError if they were altered, or belong to another object or tenant."""
    nonce = sealed[_GENERATION_SIZE : _GENERATION_SIZE + NONCE_SIZE]
    ciphertext = sealed[_GENERATION_SIZE + NONCE_SIZE :]
    try:
        packed = AESGCM(_key(key, upstream, name)).decrypt(nonce, ciphertext, _bound_to(key, upstream, name))
    except (InvalidTag, ValueError) as exc:
        raise StorageError(f"the pseudonyms of a {name.kind} are not what was stored") from exc
    values: dict[str, str] = orjson.loads(zlib.decompress(packed))
    return values


def _key(key: DataKey, upstream: str, name: ObjectName) -> bytes:
    """Return a key for one object: so random nonces never wear a data key out."""
    place = _place(upstream, name)
    return hashlib.blake2b(place, key=key.key, digest_size=32, person=b"promptshield.psn").digest()


def _bound_to(key: DataKey, upstream: str, name: ObjectName) -> bytes:
    return f"promptshield pseudonyms 1|{key.tenant_id}|{key.generation}|".encode() + _place(upstream, name)


def _place(upstream: str, name: ObjectName) -> bytes:
    return orjson.dumps([upstream, name.kind, name.id])
