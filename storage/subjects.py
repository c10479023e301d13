"""Whom a decision is about, as keyed hashes: what the log keeps of an identifier, and of personal data it may erase."""

from __future__ import annotations

import hashlib
import re
import socket
import unicodedata
from typing import Final

import orjson

from detectors.errors import StorageError

MOST_SUBJECTS: Final = 32  # of one decision
_SIZE: Final = 16  # bytes of a hash: BLAKE2b-128
_NUMBER: Final = re.compile(r"\+?[\d\s().,/-]*")
_SHORTEST_NUMBER: Final = 7  # digits; what is shorter is nobody's
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}")
_SHORTEST_IBAN: Final = 15
_SEPARATORS: Final = re.compile(r"[\s-]+")
_MAPPED: Final = bytes(10) + b"\xff\xff"  # an IPv4 address in IPv6 (RFC 4291 section 2.5.5.2)


def personal_digest(content_key: bytes, personal: str) -> str:
    """Return the keyed hash (32 hex digits) by which the chain vouches for `personal`, a JSON object.

    `content_key` is the tenant's. The same object gives the same hash however its JSON is written, so also after
    Postgres has kept it as jsonb. Raises StorageError for what is no JSON.
    """
    try:
        canonical = orjson.dumps(orjson.loads(personal), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError as exc:
        raise StorageError("the personal data of a decision are no JSON") from exc
    return hashlib.blake2b(canonical, key=_derived(content_key, b"personal"), digest_size=_SIZE).hexdigest()


def subject_key(content_key: bytes) -> bytes:
    """Return the key (32 bytes) of a tenant's subject hashes, out of the tenant's content key."""
    return _derived(content_key, b"subject")


def subject_hash(key: bytes, identifier: str) -> str:
    """Return the hash (32 hex digits) of an identifier under `subject_key()`, equal for all its usual spellings.

    Empty if nothing is left of the identifier.
    """
    spelling = canonical(identifier)
    return (
        hashlib.blake2b(spelling.encode(errors="replace"), key=key, digest_size=_SIZE).hexdigest() if spelling else ""
    )


def canonical(identifier: str) -> str:
    """Return the one spelling under which an identifier is kept, whatever kind it is; empty if nothing is left of it.

    E-mail addresses are lower-case; network addresses as RFC 5952 writes them; IBANs without spaces; what is a number
    of seven digits and more (telephone, card, social security) is its digits, without the 00 or the North American 1
    in front. Anything else, a user id above all, is itself: two ids that differ in case may be two persons.
    """
    text = identifier.strip() if identifier.isascii() else _folded(identifier)
    if "@" in text:
        return text.casefold()
    if ":" in text or text.count(".") == 3:
        address = _address(text)
        if address:
            return address
    if _NUMBER.fullmatch(text):
        return _digits(text)
    return _joined_iban(text) or text


def _folded(identifier: str) -> str:
    """Without disguise: compatibility forms are folded, and format characters (zero-width, bidi) left out."""
    folded = unicodedata.normalize("NFKC", identifier)
    return "".join(c for c in folded if unicodedata.category(c) != "Cf").strip()


def _digits(text: str) -> str:
    digits = "".join(str(int(c)) for c in text if c.isdecimal())  # of any script
    if len(digits) < _SHORTEST_NUMBER:
        return text
    digits = digits.removeprefix("00")
    return digits[1:] if len(digits) == 11 and digits[0] == "1" else digits


def _address(text: str) -> str:
    """A network address, empty for anything else. By the C library, because every exchange has one."""
    try:
        if ":" not in text:
            return socket.inet_ntop(socket.AF_INET, socket.inet_pton(socket.AF_INET, text))
        packed = socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return ""
    if packed.startswith(_MAPPED):
        return socket.inet_ntop(socket.AF_INET, packed[len(_MAPPED) :])
    return socket.inet_ntop(socket.AF_INET6, packed)


def _joined_iban(text: str) -> str:
    joined = _SEPARATORS.sub("", text).upper() if text[:2].isalpha() and len(text) >= _SHORTEST_IBAN else ""
    return joined if _IBAN.fullmatch(joined) else ""


def _derived(content_key: bytes, domain: bytes) -> bytes:
    return hashlib.blake2b(domain, key=content_key, digest_size=32, person=b"promptshield.log").digest()
