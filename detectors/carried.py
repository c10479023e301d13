"""What a web address carries out: text in its query, path or host name, in clear or encoded, and whose text it is."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from urllib.parse import unquote, unquote_plus

from detectors.addresses import Address
from detectors.frozen import statically_frozen
from detectors.normalise import fold
from detectors.word_grams import all_grams, beginning_of, grams_of, words_of

GRAM: Final = 3  # words of the request that, in a row, are no coincidence inside of an address
_LONGEST: Final = 4096  # characters of an address that are looked at; longer ones are told for that alone
_MANY_WORDS: Final = 5
_FEW_WORDS: Final = 4  # in base64: delivery networks put a word or two of their own there
_CODED: Final = re.compile(r"[A-Za-z0-9+/_-]{14,}={0,2}")
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2}){10,}")
_BASE32: Final = re.compile(r"(?:[A-Z2-7]{16,}|[a-z2-7]{16,})=*")
_SEPARATORS: Final = re.compile(r"[.,:;~!|*'()]")
_LETTERS: Final = re.compile(r"[^\W\d]{2,}")
_TELLING: Final = re.compile(r"[\w.+@-]{8,}")  # with a digit or an at-sign in it: numbers, names of accounts, addresses
_OPAQUE: Final = 96
_MOST_TEXT: Final = 1 << 18  # characters of a request that are known again
_SHORTEST: Final = 14  # characters below which one part of an address says nothing by itself
_SLUG: Final = 8  # words of a file's name from which on it is a text
# What delivery networks put into addresses in base64: the address of an original, a policy of access, a job.
_ENVELOPES: Final = ("http://", "https://", '{"statement"', '{"bucket"')
# What storage services sign their addresses with: as random as a secret, and nobody's text.
_SIGNATURES: Final = frozenset(
    {
        "x-amz-signature", "x-amz-credential", "x-amz-security-token", "x-goog-signature", "x-goog-credential",
        "signature", "sig", "token", "key-pair-id", "policy", "hmac", "hash", "oh", "oe",
    }
)  # fmt: skip


@statically_frozen
@dataclass(frozen=True, slots=True)
class Load:
    """How sure it is that an address carries data out, 0-1: if it is fetched, and if somebody has to click on it."""

    fetched: float = 0.0
    linked: float = 0.0


NOTHING: Final = Load()


class Request:
    """The texts of one request, to tell whether an address carries any of them; hashed when that is first asked.

    `newest` is what the user wrote last, who may well have asked for an address that says it; of `others` the most
    telling come first.
    """

    def __init__(self, newest: Sequence[str] = (), others: Sequence[str] = ()) -> None:
        self._newest, self._others = beginning_of(newest, _MOST_TEXT), beginning_of(others, _MOST_TEXT)

    @cached_property
    def _key(self) -> int:
        return secrets.randbits(63)

    def quotes(self, address: str) -> bool:
        """Tell whether the request holds the whole address: then nothing was put into it."""
        return any(address in text for text in (*self._newest, *self._others))

    def load(self, text: str) -> float:
        """Return how sure it is that a text was taken out of this request."""
        folded = fold(text)
        grams, telling = set(grams_of(words_of(folded), GRAM, self._key)), _telling(folded)
        for known_grams, known_words, certainty in (self._known(others=True), self._known(others=False)):
            if not grams.isdisjoint(known_grams) or not telling.isdisjoint(known_words):
                return certainty
        return 0.0

    def _known(self, *, others: bool) -> tuple[frozenset[int], frozenset[str], float]:
        return (*self._of_others, 0.9) if others else (*self._of_newest, 0.6)

    @cached_property
    def _of_others(self) -> tuple[frozenset[int], frozenset[str]]:
        return self._hashed(self._others)

    @cached_property
    def _of_newest(self) -> tuple[frozenset[int], frozenset[str]]:
        return self._hashed(self._newest)

    def _hashed(self, texts: Sequence[str]) -> tuple[frozenset[int], frozenset[str]]:
        folded = [fold(text) for text in texts]
        return all_grams(folded, GRAM, self._key), frozenset(word for text in folded for word in _telling(text))


def load_of(address: Address, request: Request) -> Load:
    """Return what an address carries. Linear in what is looked at of it."""
    path, _, query = address.behind[:_LONGEST].partition("?")
    pairs, authority = _pairs(query) if query else [], address.authority[:_LONGEST]
    loads = [_load_unread(pairs, authority), Load(0.6, 0.5) if len(address.text) > _LONGEST else NOTHING]
    for side in zip(*pairs, strict=True):  # names, values; a text may be spread over several
        for text in side:
            if len(text) >= _SHORTEST:
                loads += [_load_of_coded(text, request), _load_of_sentence(text)]
        loads += [_load_in_clear(" ".join(side), request)]
        if len(side) > 1:
            joined = "".join(side)
            loads += [_load_of_coded(joined, request), _load_in_clear(joined, request)]
    for value in _parts(path, authority):
        if len(value) >= _SHORTEST:
            loads += [_load_of_coded(value, request), _load_of_name(value, request)]
    fetched, linked = max(load.fetched for load in loads), max(load.linked for load in loads)
    return Load(fetched, linked) if fetched and not request.quotes(address.text) else NOTHING


def _pairs(query: str) -> list[tuple[str, str]]:
    items = [item.partition("=") for item in re.split("[&;]", query) if item]
    return [(_plain(name), _plain(value)) for name, _, value in items]


def _plain(part: str) -> str:
    """Return a name or value without percent signs, also if it was escaped twice."""
    text = unquote_plus(part)
    return unquote(text) if "%" in text else text


def _parts(path: str, authority: str) -> Iterator[str]:
    """Yield the steps of a path, and the labels of a host but its last two, each and all of them as one."""
    user, _, host = authority.rpartition("@")
    for names in (path.split("/"), [*user.split(":"), *host.split(".")[:-2]]):
        parts = [unquote(unquote(name)) for name in names if name]
        yield from parts
        yield from (part.rpartition(".")[0] for part in parts[-1:] if "." in part)  # a picture's name without its kind
        if len(parts) > 1:
            yield "".join(parts)


def _load_in_clear(text: str, request: Request) -> Load:
    words = words_of(fold(text))
    if len(words) < GRAM and not _telling(text.lower()):
        return NOTHING
    said = max(request.load(reading) for reading in (text, codecs.encode(text, "rot13"), text[::-1]))
    return Load(said, 0.5 if said > 0.6 and len(words) >= _MANY_WORDS else 0.0)


def _load_of_sentence(value: str) -> Load:
    """Captions and names of places have a word or two between spaces; what has many is told to somebody."""
    return Load(0.6) if value.count(" ") >= _MANY_WORDS - 1 and len(_LETTERS.findall(value)) >= _MANY_WORDS else NOTHING


def _load_of_name(value: str, request: Request) -> Load:
    """Pages and pictures are called by words, often those that were asked for: only sentences count."""
    words = words_of(value.lower())
    if " " in value and len(words) >= _MANY_WORDS:
        return Load(request.load(value))
    return Load(0.5) if len(words) >= _SLUG and request.load(value) else NOTHING


def _load_unread(pairs: Sequence[tuple[str, str]], authority: str) -> Load:
    """What is long, random and no text in any reading may be encrypted, but is mostly somebody's own number."""
    unread = any(
        len(value) >= _OPAQUE and name.lower() not in _SIGNATURES and _CODED.fullmatch(value) and len(set(value)) > 24
        for name, value in pairs
    )
    labels = "".join(authority.split(".")[:-2])
    random = len(labels) >= 48 and sum(map(str.isdigit, labels)) >= 8
    return Load(0.5) if random else Load(0.4) if unread else NOTHING


def _load_of_coded(value: str, request: Request) -> Load:
    loads = [NOTHING]
    for text in _decoded(value):
        if request.load(text):
            loads.append(Load(0.95, 0.85))
        elif len(_LETTERS.findall(text)) >= _FEW_WORDS and not text.lower().startswith(_ENVELOPES):
            loads.append(Load(0.85, 0.6))
        elif _telling(text.lower()):
            loads.append(Load(0.6))
    return max(loads, key=_certainty)


def _decoded(value: str) -> Iterator[str]:
    """Yield what a value says in base64, base32 or hexadecimal, if that is text."""
    for raw in _decodings(value):
        for read in (raw, *_decodings(raw.decode("ascii", "replace"))):  # models do it twice, too
            if _reads_as_text(read):
                yield read.decode("utf-8", "replace")


def _decodings(value: str) -> Iterator[bytes]:
    bare = _SEPARATORS.sub("", value.replace(" ", "+")).strip("=")
    for pattern, decode in ((_HEX, bytes.fromhex), (_CODED, _from_base64), (_BASE32, _from_base32)):
        if pattern.fullmatch(bare):
            try:
                yield decode(bare)
            except (ValueError, binascii.Error):
                continue


def _from_base64(text: str) -> bytes:
    whole = text.replace("-", "+").replace("_", "/")
    whole = whole[: len(whole) - (len(whole) % 4 == 1)]
    return base64.b64decode(whole + "=" * (-len(whole) % 4))


def _from_base32(text: str) -> bytes:
    whole = text.upper()
    whole = whole[: len(whole) - {1: 1, 3: 1, 6: 1}.get(len(whole) % 8, 0)]
    return base64.b32decode(whole + "=" * (-len(whole) % 8))


def _reads_as_text(raw: bytes) -> bool:
    """Tell text from what merely decodes: letters, digits and spaces, as a model with a slip or two would write it."""
    text = raw.decode("utf-8", "replace")
    printable = sum(map(str.isprintable, text)) - text.count("\ufffd")
    letters = sum(1 for c in text if c.isalnum() or c == " ")
    return len(text) >= 8 and printable >= 0.9 * len(text) and letters >= 0.6 * len(text)


def _certainty(load: Load) -> float:
    return load.fetched


def _telling(folded: str) -> set[str]:
    words = (word.strip(".-_+") for word in _TELLING.findall(folded))
    return {word for word in words if len(word) >= 8 and ("@" in word or any(map(str.isdigit, word)))}
