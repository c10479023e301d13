"""Keys of the house: the secrets of this installation, made at the first start; the environment may replace them."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from detectors.errors import StorageError

SHORTEST: Final = 32  # characters of a secret that somebody supplies


@dataclass(frozen=True, slots=True, repr=False)
class HouseKeys:
    """`pepper` keys the hashes of API keys, `content` those of texts; the rest are the engines' passwords."""

    pepper: bytes
    content: bytes
    postgres_owner: str
    postgres_login: str
    valkey: str

    def tenant_content_key(self, tenant_id: int) -> bytes:
        """Return 32 bytes that differ for every tenant, so that equal texts of two tenants never meet in a cache."""
        return hashlib.blake2b(f"tenant:{tenant_id}".encode(), key=self.content, digest_size=32).digest()

    def fingerprint(self) -> str:
        """Return a name for the pepper that tells two apart without giving it away."""
        return hashlib.blake2b(b"fingerprint", key=self.pepper, digest_size=8).hexdigest()


def open_house_keys(folder: Path, environment: Mapping[str, str] = os.environ) -> HouseKeys:
    """Read `<folder>/<name>` (0600), making what is missing; `PROMPTSHIELD_PEPPER` and `PROMPTSHIELD_CONTENT_KEY` win.

    Raises StorageError for a weak secret, a file that others may read, or a folder that cannot be written.
    """
    pepper = environment.get("PROMPTSHIELD_PEPPER")
    content = environment.get("PROMPTSHIELD_CONTENT_KEY")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return HouseKeys(
            pepper=_supplied("PROMPTSHIELD_PEPPER", pepper) or _read_or_make(folder / "pepper").encode(),
            content=_key(_supplied("PROMPTSHIELD_CONTENT_KEY", content) or _read_or_make(folder / "content").encode()),
            postgres_owner=_read_or_make(folder / "postgres-owner"),
            postgres_login=_read_or_make(folder / "postgres-login"),
            valkey=_read_or_make(folder / "valkey"),
        )
    except OSError as exc:
        raise StorageError(f"keys folder {folder}: {exc.strerror}; make it writable for this user") from exc


def _key(secret: bytes) -> bytes:
    return hashlib.blake2b(secret, digest_size=32).digest()


def _supplied(name: str, secret: str | None) -> bytes | None:
    if secret is None:
        return None
    if len(secret) < SHORTEST or len(set(secret)) < 8:
        raise StorageError(f"{name} is too weak: use {SHORTEST} random characters or more (openssl rand -hex 32)")
    return secret.encode()


def _read_or_make(file: Path) -> str:
    try:
        # O_EXCL: of two processes starting at once only one makes the key.
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(file)
    with os.fdopen(handle, "w") as opened:
        secret = secrets.token_hex(32)
        opened.write(secret)
        opened.flush()
        os.fsync(opened.fileno())
    return secret


def _read(file: Path) -> str:
    if file.stat().st_mode & 0o077:
        raise StorageError(f"{file} can be read by others: chmod 600 {file}")
    secret = file.read_text().strip()
    if len(secret) < SHORTEST:
        raise StorageError(
            f"{file} is empty or cut off: restore it from a backup (a new one makes every API key invalid)"
        )
    return secret
