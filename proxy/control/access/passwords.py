"""Passwords: which ones are too weak, and hashing them (Argon2id, RFC 9106) without holding up the loop."""

from __future__ import annotations

import asyncio
import re
import secrets
import unicodedata
from functools import lru_cache
from itertools import pairwise
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from proxy.control.access.common_words import COMMON_WORDS

SHORTEST: Final = 12
LONGEST: Final = 256
_AT_ONCE: Final = 2  # each takes 64 MiB and its cores for some 50 ms
# What people write for letters; digits that stand for none are what they hang on.
_LEET: Final = str.maketrans("013457@$!8", "oleastasib")
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz"
_EASY: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is read for something else


def weakness(password: str, name: str) -> str | None:
    """Return what is wrong with a new password as a sentence, or None."""
    plain = unicodedata.normalize("NFKC", password)
    if len(plain) < SHORTEST:
        return f"A password has {SHORTEST} characters at least."
    if len(plain) > LONGEST:
        return f"A password has {LONGEST} characters at most."
    if any(unicodedata.category(character) == "Cc" for character in plain):
        return "A password has no control characters."
    folded = plain.casefold()
    if len(set(folded)) < 6 or _is_a_run(folded):
        return "This password repeats itself or counts up: it is among the first that are tried."
    words = [part for part in re.split(r"[^a-z0-9]+", name.casefold()) if len(part) > 2]
    if _is_made_of(folded, COMMON_WORDS | set(words)):
        return "This password is made of common words or of the name alone: it is among the first that are tried."
    return None


def one_time_password() -> str:
    """Return a password to be read from a terminal and changed at once: 20 characters, 99 bits."""
    return "-".join("".join(secrets.choice(_EASY) for _ in range(5)) for _ in range(4))


class Passwords:
    """Hashes and compares, a few at a time in threads of their own."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, _normal(password))

    async def matches(self, hashed: str | None, password: str) -> bool:
        """Tell whether that is the password. Without a hash (there is no such user) it takes as long, and is not."""
        if self._nobodys is None:
            self._nobodys = await self.hash(secrets.token_hex(16))
        async with self._turn:
            right = await asyncio.to_thread(self._verified, hashed or self._nobodys, password)
        return right and hashed is not None

    def is_outdated(self, hashed: str) -> bool:
        """Tell whether the hash was made at less cost than is asked for today."""
        return self._hasher.check_needs_rehash(hashed)

    def _verified(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, _normal(password)[:LONGEST])
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False


def _normal(password: str) -> str:
    """The same characters however they were typed (RFC 8265, section 4)."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace").decode()


def _is_a_run(folded: str) -> bool:
    """`abcdefghijkl`, `123456789012`, or a short piece again and again."""
    steps = {(ord(right) - ord(left)) for left, right in pairwise(folded)}
    repeats = any(folded == (folded[:size] * len(folded))[: len(folded)] for size in range(1, len(folded) // 2 + 1))
    return repeats or (len(steps) <= 2 and steps <= {-9, -1, 0, 1, 9})


def _is_made_of(folded: str, words: set[str] | frozenset[str]) -> bool:
    """Tell whether nothing is left of a password without common words, digits and signs."""
    stripped = "".join(c for c in folded if c in _ALPHABET)
    spoken = "".join(c for c in folded.translate(_LEET) if c in _ALPHABET)
    trimmed = "".join(c for c in folded.rstrip("0123456789!?.,-_@#$%&*+ ").translate(_LEET) if c in _ALPHABET)
    foreign = any(c.isalpha() and c not in _ALPHABET for c in folded)
    return not foreign and any(_splits(letters, frozenset(words)) for letters in (stripped, spoken, trimmed))


@lru_cache(maxsize=64)
def _splits(letters: str, words: frozenset[str]) -> bool:
    """Tell whether letters are nothing but words in a row."""
    reached = {0}
    for end in range(1, len(letters) + 1):
        if any(start in reached and letters[start:end] in words for start in range(max(0, end - 20), end)):
            reached.add(end)
    return len(letters) in reached
