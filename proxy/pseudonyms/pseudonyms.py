"""Pseudonyms of one exchange: which name was put in the place of which value, and nobody else's."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any, Final

import orjson

from policies.types import Edit, Pseudonym
from proxy.bodies.json_document import is_json
from proxy.bodies.pointer import resolve
from storage.subjects import canonical

LONGEST: Final = 48  # characters of a placeholder
# Neither vowels, so that no word comes out, nor what is easily mistaken: 0 and o, 1 and l.
_ALPHABET: Final = "23456789bcdfghjkmnpqrstvwxz"
_PERSON, _SPELLING = 7, 5  # characters: who it is, and how it was written
_LONGEST_KIND: Final = LONGEST - len("[_]") - _PERSON - _SPELLING
_MOST_RESTORED: Final = 8 << 20  # characters of values in all the answer of one exchange
_NO_KIND: Final = re.compile(r"[^A-Z0-9_]")
_LOOSE: Final = re.compile(r"[^A-Za-z0-9]")


class Pseudonyms:
    """Values by placeholder: `[EMAIL_k3f9q2bb7c8d]`.

    A placeholder is a keyed hash of kind and value, so the same value has the same one in every request of an app. Its
    first characters are the hash of the value's canonical spelling: two spellings of one address look related, and
    each comes back as it was written. No two values ever have the same one.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._placeholders: dict[tuple[str, str], str] = {}
        self._values: dict[str, tuple[str, str]] = {}  # by bare form: the placeholder and what it stands for
        self._room = _MOST_RESTORED

    def __bool__(self) -> bool:
        return bool(self._values)

    @property
    def issued(self) -> bool:
        """Tell whether a value was replaced in this exchange, and not only in those that it leans on."""
        return bool(self._placeholders)

    def issue(self, kind: str, value: str) -> str:
        """Return the placeholder for a value."""
        known = self._placeholders.get((kind, value))
        if known is not None:
            return known
        name = _NO_KIND.sub("_", kind.upper())[:_LONGEST_KIND]
        tries = (f"[{name}_{self._tag(kind, value, attempt)}]" for attempt in count())
        free = next(tried for tried in tries if self._values.setdefault(_bare(tried), (tried, value))[1] == value)
        self._placeholders[kind, value] = free
        return free

    def adopt(self, values: Mapping[str, str]) -> None:
        """Take in what an object that the request leans on was written with. Before anything is issued."""
        for placeholder, value in values.items():
            self._values.setdefault(_bare(placeholder), (placeholder, value))

    def value_of(self, spelling: str) -> str | None:
        """Return what a placeholder stands for, however its letters were spaced or cased; None for a stranger's."""
        known = self._values.get(_bare(spelling))
        return None if known is None else known[1]

    def afford(self, value: str) -> bool:
        """Tell whether one more value may be put back: a short answer may name a long one a thousand times."""
        self._room -= len(value)
        return self._room >= 0

    def all(self) -> Mapping[str, str]:
        """Return every value by its placeholder, the newest last."""
        return dict(self._values.values())

    def name_values(self, document: Any, edits: Iterable[Edit]) -> list[Edit]:
        """Return edits in which every pseudonym is a placeholder for what stands in `document`, as it was scanned.

        Raises UneditableError for a pointer to nothing.
        """
        return [self._named(document, edit) for edit in edits]

    def _named(self, document: Any, edit: Edit) -> Edit:
        if not isinstance(edit.replacement, Pseudonym):
            return edit
        text = str(resolve(document, edit.pointer))
        value = text[edit.span.start : edit.span.end]
        if "\\" in value and is_json(text):  # as JSON writes it; where it comes back, it is written anew
            value = _unescaped(value)
        return Edit(edit.pointer, edit.span, self.issue(edit.replacement.kind, value))

    def _tag(self, kind: str, value: str, attempt: int) -> str:
        person = self._hash("person", kind, canonical(value) or value)
        return _spelled(person, _PERSON) + _spelled(self._hash("spelling", kind, value, str(attempt)), _SPELLING)

    def _hash(self, *parts: str) -> int:
        data = b"\0".join(len(raw := part.encode(errors="surrogatepass")).to_bytes(8, "big") + raw for part in parts)
        return int.from_bytes(hashlib.blake2b(data, key=self._key, digest_size=16).digest(), "big")


def _bare(placeholder: str) -> str:
    """Return the letters and digits of a placeholder: all that must survive a model's hand."""
    return _LOOSE.sub("", placeholder).lower()


def _spelled(number: int, length: int) -> str:
    letters = []
    for _ in range(length):
        number, letter = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[letter])
    return "".join(letters)


def _unescaped(raw: str) -> str:
    try:
        return str(orjson.loads(f'"{raw}"'))
    except orjson.JSONDecodeError:
        return raw
