"""Where a search goes on: opaque to whoever carries it, worthless to whoever changes it."""

from __future__ import annotations

import binascii
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import astuple, replace
from typing import Final
from uuid import UUID

from detectors.errors import StorageError
from storage.decisions.conditions import DecisionFilter

_CHECK: Final = 8  # bytes; against slips, not against forgers: a cursor names a place and grants nothing


def write_cursor(decision_id: UUID, wanted: DecisionFilter) -> str:
    """Return the place just after a decision, for this search only; its range of time may change (`--from 2h`)."""
    return urlsafe_b64encode(decision_id.bytes + _check(decision_id.bytes, wanted)).decode()


def read_cursor(cursor: str, wanted: DecisionFilter) -> UUID:
    """Return the decision that the cursor stands behind.

    Raises StorageError for one that was changed, or that another search gave out.
    """
    try:
        content = urlsafe_b64decode(cursor.encode("ascii"))
    except (binascii.Error, ValueError) as exc:
        raise StorageError("the cursor is none of ours") from exc
    place, check = content[:16], content[16:]
    if len(place) != 16 or check != _check(place, wanted):
        raise StorageError("the cursor belongs to another search, or was changed")
    return UUID(bytes=place)


def _check(place: bytes, wanted: DecisionFilter) -> bytes:
    conditions = repr(astuple(replace(wanted, since=None, until=None)))
    return hashlib.blake2b(place + conditions.encode("utf-8", "backslashreplace"), digest_size=_CHECK).digest()
