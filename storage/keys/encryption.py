"""Key-encryption keys: where they come from, and how they wrap the data keys of tenants."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from detectors.errors import StorageError
from storage.keys.house_keys import SHORTEST, read_house_key, replace_house_key
from storage.keys.vault import VaultReference, is_vault, read_vault

VARIABLE: Final = "PROMPTSHIELD_KEK"
NONCE_SIZE: Final = 12  # bytes: 96 bits, what AES-GCM is made for (NIST SP 800-38D section 8.2)


@dataclass(frozen=True, slots=True, repr=False)
class KeyEncryptionKey:
    """32 bytes that wrap data keys with AES-256-GCM. `id` names it without giving it away."""

    id: str
    key: bytes

    @classmethod
    def from_secret(cls, secret: str) -> KeyEncryptionKey:
        """Derive the key from a secret of 32 characters and more. Raises StorageError for a weak one."""
        if len(secret) < SHORTEST or len(set(secret)) < 8:
            raise StorageError("a key-encryption key is 32 random characters or more (openssl rand -hex 32)")
        key = hashlib.blake2b(secret.encode(errors="surrogateescape"), digest_size=32, person=b"promptshield.kek")
        name = hashlib.blake2b(b"id", key=key.digest(), digest_size=8).hexdigest()
        return cls(name, key.digest())

    def wrap(self, data_key: bytes, tenant_id: int, generation: int) -> bytes:
        """Return nonce and ciphertext of a data key, bound to its tenant, its generation and this key."""
        nonce = secrets.token_bytes(NONCE_SIZE)
        return nonce + AESGCM(self.key).encrypt(nonce, data_key, self._bound_to(tenant_id, generation))

    def unwrap(self, wrapped: bytes, tenant_id: int, generation: int) -> bytes:
        """Return the data key. Raises StorageError if it was wrapped for somebody else, or altered."""
        nonce, ciphertext = wrapped[:NONCE_SIZE], wrapped[NONCE_SIZE:]
        try:
            return AESGCM(self.key).decrypt(nonce, ciphertext, self._bound_to(tenant_id, generation))
        except (InvalidTag, ValueError) as exc:
            raise StorageError(f"data key {generation} of tenant {tenant_id} is not what was wrapped") from exc

    def _bound_to(self, tenant_id: int, generation: int) -> bytes:
        return f"promptshield data key 1|{tenant_id}|{generation}|{self.id}".encode()


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """`current` wraps; `former` only unwrap, until everything is wrapped anew."""

    current: KeyEncryptionKey
    former: tuple[KeyEncryptionKey, ...] = ()

    @classmethod
    def from_text(cls, text: str) -> KeyRing:
        """Read keys parted by white space, the current one first. Raises StorageError."""
        keys = [KeyEncryptionKey.from_secret(secret) for secret in text.split()]
        if not keys:
            raise StorageError("there is no key-encryption key where one is expected")
        return cls(keys[0], tuple(keys[1:]))

    def find(self, key_id: str) -> KeyEncryptionKey | None:
        return next((key for key in (self.current, *self.former) if key.id == key_id), None)


class KeyRingSource(Protocol):
    """Where the key-encryption keys are kept."""

    async def load(self) -> KeyRing:
        """Read the keys anew. Raises StorageError, UnavailableError where they may be had later."""


class SuppliedKeys:
    """Keys given as text, above all in the environment."""

    def __init__(self, text: str) -> None:
        self._text = text

    async def load(self) -> KeyRing:
        return KeyRing.from_text(self._text)


class HouseKeyFile:
    """Keys in a file of ours, among the keys of the house: the one place where we can rotate them ourselves."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def load(self) -> KeyRing:
        return KeyRing.from_text(await asyncio.to_thread(read_house_key, self._file))

    async def begin_rotation(self) -> KeyRing:
        """Put a new key in front of those that are there. Raises StorageError."""
        text = await asyncio.to_thread(read_house_key, self._file)
        await asyncio.to_thread(replace_house_key, self._file, f"{secrets.token_hex(32)}\n{text}")
        return await self.load()

    async def end_rotation(self, ring: KeyRing) -> None:
        """Keep the current key of `ring` alone, if it still is the current one. Raises StorageError."""
        text = await asyncio.to_thread(read_house_key, self._file)
        if KeyRing.from_text(text).current.id == ring.current.id:
            await asyncio.to_thread(replace_house_key, self._file, text.split()[0])


class SuppliedFile:
    """Keys in a file that somebody else looks after, such as a mounted secret."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def load(self) -> KeyRing:
        try:
            return KeyRing.from_text(await asyncio.to_thread(self._file.read_text, encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as exc:
            raise StorageError(f"key file {self._file} cannot be read: {type(exc).__name__}") from exc


class VaultKeys:
    """Keys in a field of a HashiCorp Vault KV v2 secret."""

    def __init__(self, reference: VaultReference) -> None:
        self._reference = reference

    async def load(self) -> KeyRing:
        return KeyRing.from_text(await read_vault(self._reference))


def key_ring_source(keys_folder: Path, environment: Mapping[str, str] = os.environ) -> KeyRingSource:
    """Return where the keys are: `<keys_folder>/kek`, unless PROMPTSHIELD_KEK says otherwise.

    It holds the keys themselves, a file (`/run/secrets/kek`, `file:kek`) or `vault://<mount>/<path>#<field>`. Several
    keys are parted by white space; the first one wraps. Raises StorageError for a malformed reference.
    """
    given = environment.get(VARIABLE, "").strip()
    if not given:
        return HouseKeyFile(keys_folder / "kek")
    if is_vault(given):
        return VaultKeys(VaultReference.parse(given, environment))
    if given.startswith(("/", "file:")):
        return SuppliedFile(Path(given.removeprefix("file:")))
    return SuppliedKeys(given)
