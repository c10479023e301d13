"""What is sealed opens only where it belongs."""

from __future__ import annotations

import pytest

from detectors.errors import StorageError
from storage.accounts.sealing import hash_token, new_token, seal, unseal

KEY, OTHER = bytes(32), bytes(range(32))


def test_what_is_sealed_opens_with_its_key_and_in_its_place() -> None:
    sealed = seal(KEY, b"secret", "second-factor 7")
    assert b"secret" not in sealed
    assert unseal(KEY, sealed, "second-factor 7") == b"secret"
    assert seal(KEY, b"secret", "second-factor 7") != sealed


@pytest.mark.parametrize(
    ("key", "place", "change"),
    [(OTHER, "second-factor 7", 0), (KEY, "second-factor 8", 0), (KEY, "second-factor 7", 1)],
)
def test_anything_else_stays_shut_and_tells_nothing(key: bytes, place: str, change: int) -> None:
    sealed = bytearray(seal(KEY, b"secret", "second-factor 7"))
    sealed[-1] ^= change
    with pytest.raises(StorageError, match="second-factor does not open") as refused:
        unseal(key, bytes(sealed), place)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("sealed", [b"", b"x" * 12, b"x" * 40])
def test_rubbish_stays_shut(sealed: bytes) -> None:
    with pytest.raises(StorageError):
        unseal(KEY, sealed, "x")


def test_tokens_differ_and_fit_a_header() -> None:
    tokens = {new_token("psr-") for _ in range(100)}
    assert len(tokens) == 100
    assert all(token.startswith("psr-") and token.isascii() and len(token) == 47 for token in tokens)


def test_a_hash_depends_on_the_key_and_takes_any_text() -> None:
    assert hash_token(KEY, "x") != hash_token(OTHER, "x")
    assert len(hash_token(KEY, "\udc80é")) == 32
