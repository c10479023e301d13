"""Small secrets of accounts: sealed where they must be read again, hashed under a key where they are only compared."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from detectors.errors import StorageError
from storage.keys.encryption import NONCE_SIZE

_TOKEN_SIZE: Final = 32  # bytes of randomness


def seal(key: bytes, secret: bytes, bound_to: str) -> bytes:
    """Return nonce and ciphertext (AES-256-GCM), which open only where `bound_to` is the same."""
    nonce = secrets.token_bytes(NONCE_SIZE)
    return nonce + AESGCM(key).encrypt(nonce, secret, bound_to.encode())


def unseal(key: bytes, sealed: bytes, bound_to: str) -> bytes:
    """Return the secret. Raises StorageError if it was sealed for something else, by another key, or altered."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], bound_to.encode())
    except (InvalidTag, ValueError) as exc:
        raise StorageError(f"what was sealed for {bound_to.partition(' ')[0]} does not open: other keys?") from exc


def new_token(prefix: str = "") -> str:
    """Return 256 random bits that fit a header, a cookie and a URL."""
    return prefix + secrets.token_urlsafe(_TOKEN_SIZE)


def hash_token(key: bytes, token: str) -> bytes:
    """HMAC-SHA256, 32 bytes. A fast hash is enough for what cannot be guessed."""
    return hmac.digest(key, token.encode("utf-8", "surrogateescape"), hashlib.sha256)
