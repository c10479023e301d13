"""A canary: a word of a tenant's own behind its system prompts, that no answer has any reason to say."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Final

from detectors.types import Span

_SYLLABLES: Final = tuple(consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou")
_LENGTH: Final = 8  # syllables: 49 bits, and a word that models repeat without a slip
_SENTENCE: Final = "(Reference of these instructions: {}.)"
_BEHIND_A_TEXT: Final = re.compile(rf"(?:\n\n)?{re.escape(_SENTENCE)}".replace(r"\{\}", f"[a-z]{{{2 * _LENGTH}}}"))
_NO_LETTERS: Final = bytes(set(range(256)) - set(b"abcdefghijklmnopqrstuvwxyz"))


def canary_of(content_key: bytes) -> str:
    """Return the tenant's word, of small letters only. It stays the same, so that providers' prompt caches hold, and
    so that it is known again in an answer that was stored long ago.
    """
    digest = hashlib.blake2b(b"canary", key=content_key, digest_size=_LENGTH).digest()
    return "".join(_SYLLABLES[byte % len(_SYLLABLES)] for byte in digest)


def canary_sentence(canary: str) -> str:
    """Return what is put behind a system prompt: one line that asks for nothing and holds no text of anybody."""
    return _SENTENCE.format(canary)


def without_sentence(text: str) -> str:
    """Return a system prompt as its author wrote it, where a provider repeats it with our sentence."""
    return _BEHIND_A_TEXT.sub("", text)


def canary_places(canary: str, folded: str) -> Iterator[Span]:
    """Yield where a folded text says the canary, forwards or backwards, whatever that is no letter stands between."""
    letters = folded.encode("ascii", "ignore").translate(None, _NO_LETTERS)
    spellings = [spelled for spelled in (canary.encode(), canary[::-1].encode()) if spelled in letters]
    if spellings:
        at = [index for index, character in enumerate(folded) if "a" <= character <= "z"]
        for match in re.finditer(b"|".join(spellings), letters):
            yield Span(at[match.start()], at[match.end() - 1] + 1)
