"""Keys of the house: the secrets of this installation, made at the first start; the environment may replace them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from detectors.errors import StorageError

SHORTEST: Final = 32  # characters of a secret that somebody supplies
SIGNING_VARIABLE: Final = "PROMPTSHIELD_SIGNING_KEY"


@dataclass(frozen=True, slots=True, repr=False)
class HouseKeys:
    """`pepper` keys the hashes of API keys, `content` those of texts; the rest are the engines' passwords.

    `signing` (32 bytes) is the seed of the Ed25519 key that signs checkpoints.
    """

    pepper: bytes
    content: bytes
    signing: bytes
    postgres_owner: str
    postgres_login: str
    valkey: str

    def tenant_content_key(self, tenant_id: int) -> bytes:
        """Return 32 bytes that differ for every tenant, so that equal texts of two tenants never meet in a cache."""
        return hashlib.blake2b(f"tenant:{tenant_id}".encode(), key=self.content, digest_size=32).digest()

    def pseudonym_key(self, tenant_id: int, app_id: int) -> bytes:
        """Return 32 bytes that differ for every app, so that one value has another pseudonym in each of them."""
        name = f"pseudonyms:{tenant_id}:{app_id}".encode()
        return hashlib.blake2b(name, key=self.content, digest_size=32).digest()

    def egress_token(self) -> str:
        """Return the word by which the data plane knows our own egress proxy."""
        return hashlib.blake2b(b"egress", key=self.content, digest_size=32).hexdigest()

    @property
    def findings_key(self) -> bytes:
        """32 bytes that seal what the instances remember together of texts."""
        return hashlib.blake2b(b"findings", key=self.content, digest_size=32).digest()

    def access_key(self, purpose: str) -> bytes:
        """Return 32 bytes for one purpose of signing in: sealing secrets, hashing tokens, naming who failed."""
        return hashlib.blake2b(f"access:{purpose}".encode(), key=self.content, digest_size=32).digest()

    def fingerprint(self) -> str:
        """Return a name for the pepper that tells two apart without giving it away."""
        return hashlib.blake2b(b"fingerprint", key=self.pepper, digest_size=8).hexdigest()


def open_house_keys(folder: Path, environment: Mapping[str, str] = os.environ) -> HouseKeys:
    """Read `<folder>/<name>` (0600), making what is missing; `PROMPTSHIELD_PEPPER`, `PROMPTSHIELD_CONTENT_KEY` and
    `PROMPTSHIELD_SIGNING_KEY` win.

    Raises StorageError for a weak secret, a file that others may read, or a folder that cannot be written or that
    others may change.
    """
    pepper = _supplied("PROMPTSHIELD_PEPPER", environment)
    content = _supplied("PROMPTSHIELD_CONTENT_KEY", environment)
    signing = _supplied(SIGNING_VARIABLE, environment)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone_in(folder):
            if not environment.get("PROMPTSHIELD_KEK"):
                _read_or_make(folder / "kek")  # now, so that a backup of this folder is whole from the start
            return HouseKeys(
                pepper=pepper or _read_or_make(folder / "pepper").encode(),
                content=_key(content or _read_or_make(folder / "content").encode()),
                signing=_key(signing or _read_or_make(folder / "signing").encode()),
                postgres_owner=_read_or_make(folder / "postgres-owner"),
                postgres_login=_read_or_make(folder / "postgres-login"),
                valkey=_read_or_make(folder / "valkey"),
            )
    except OSError as exc:
        raise StorageError(f"keys folder {folder}: {exc.strerror}; make it writable for this user") from exc


def read_house_key(file: Path) -> str:
    """Return what a key file holds, which may be several keys during a rotation. Raises StorageError."""
    try:
        return _read(file)
    except OSError as exc:
        raise StorageError(f"key file {file}: {exc.strerror}") from exc


def replace_house_key(file: Path, text: str) -> None:
    """Put `text` in the place of what the file held: after a crash it holds the one or the other. Raises StorageError.

    Readers are not stopped, and of two writers at once the later one wins.
    """
    try:
        with _alone_in(file.parent):
            _write_whole(file, text)
    except OSError as exc:
        raise StorageError(f"key file {file}: {exc.strerror}") from exc


def make_signing_secret() -> tuple[str, bytes]:
    """Return the text of a new signing key's file, and the seed that it stands for."""
    text = secrets.token_hex(32)
    return text, _key(text.encode())


def _key(secret: bytes) -> bytes:
    return hashlib.blake2b(secret, digest_size=32).digest()


def _supplied(name: str, environment: Mapping[str, str]) -> bytes | None:
    secret = environment.get(name)
    if secret is None:
        return None
    if _is_weak(secret):
        raise StorageError(f"{name} is too weak: use {SHORTEST} random characters or more (openssl rand -hex 32)")
    raw = os.fsencode(secret)
    # BLAKE2 takes keys of up to 64 bytes; what is longer is hashed first, as HMAC does.
    return raw if len(raw) <= hashlib.blake2b.MAX_KEY_SIZE else _key(raw)


def _is_weak(secret: str) -> bool:
    return len(secret) < SHORTEST or len(set(secret)) < 8


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Of two processes that start at once the second waits, and then reads the keys that the first has made."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_mode & 0o022:
            raise StorageError(f"{folder} can be changed by others: chmod 700 {folder}")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)  # the names of new keys too
    finally:
        os.close(descriptor)


def _read_or_make(file: Path) -> str:
    if not file.exists():
        _make(file)
    return _read(file)


def _make(file: Path) -> None:
    _write_whole(file, secrets.token_hex(32))


def _write_whole(file: Path, text: str) -> None:
    """The key has its name only once it is whole and on the disk: a lost pepper makes every API key invalid."""
    unfinished = file.with_name(f"{file.name}.new")
    unfinished.unlink(missing_ok=True)
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    unfinished.rename(file)


def _read(file: Path) -> str:
    if file.stat().st_mode & 0o077:
        raise StorageError(f"{file} can be read by others: chmod 600 {file}")
    secret = file.read_bytes().decode(errors="replace").strip()
    if _is_weak(secret) or not secret.isascii():
        raise StorageError(
            f"{file} is no key, or cut off: restore it from a backup (a new one makes every API key invalid)"
        )
    return secret
