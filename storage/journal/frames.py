"""The frames of a journal file: how a record becomes bytes that can be checked, and how frames are found again.

A frame is magic `PSJ2`, length and CRC-32 of what follows; then kind, the 16 bytes of the decision's UUID and how many
decisions this writer has closed so far. So whoever reads passes over an `opened` without parsing it, and knows how many
decisions a damaged part held. What follows is for a decision its sealed form, as it is chained and stored; for an
`opened`, and a decision that no row can hold, a JSON array of the record's values in the order of its fields.
"""

from __future__ import annotations

import struct
import zlib
from binascii import a2b_hex
from collections.abc import Iterator
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final, TypeAlias

import orjson

from detectors.errors import JournalError, StorageError
from storage.chains.canonical import FORM, Sealed, seal, unsealed
from storage.journal import frames_v1 as journal_frames_v1
from storage.types import DecisionRecord, OpenedRecord, Outcome
from storage.uuid7 import time_of

LONGEST: Final = 8 << 20  # bytes of one frame's content; a record with bodies is bounded below
OVERHEAD: Final = 12  # bytes before that content

_MAGIC: Final = b"PSJ2"
_SIGN: Final = b"PSJ"  # what the magic of every version begins with
_OUTER: Final = struct.Struct(">4sII")  # magic, length, CRC-32
_INNER: Final = struct.Struct(">B16sQ")  # kind, id, decisions
_WHOLE: Final = struct.Struct(">4sIIB16sQ")
_unpack: Final = _WHOLE.unpack_from
_CHAINED: Final = struct.Struct(">BqHI")  # number of the form, tenant, lengths of the instance's name and of the form
_OUTCOMES: Final = {str(outcome): outcome for outcome in Outcome}

_OPENED_FIELDS: Final = tuple(field.name for field in fields(OpenedRecord))
_CLOSED_FIELDS: Final = tuple(field.name for field in fields(DecisionRecord))
_OPENED_VALUES: Final = attrgetter(*_OPENED_FIELDS)
_CLOSED_VALUES: Final = attrgetter(*_CLOSED_FIELDS)
_OUTCOME, _DEGRADED, _SUBJECTS = map(_CLOSED_FIELDS.index, ("outcome", "degraded", "subjects"))


# What a frame holds. Plain numbers, because every decision passes here twice and an enum's member costs 0.2 us.
FOREIGN: Final = 0  # a record, but of no version that can be read here
OPENED: Final = 1
CLOSED: Final = 2  # a decision as values
SEALED: Final = 3  # a decision as it is chained
HOLE: Final = 255  # no frame at all: damage, or one that was not written to its end

# Kind, id, decisions, and where in the scanned bytes it begins and ends. `decisions` counts those that the writer had
# closed, this one included; 0 where the version does not tell.
Frame: TypeAlias = tuple[int, bytes, int, int, int]


def encode_opened(record: OpenedRecord, decisions: int) -> bytes:
    """Return the frame of an exchange that goes upstream. Raises JournalError."""
    return _encode(OPENED, record.id, _OPENED_VALUES(record), decisions)


def encode_closed(record: DecisionRecord, decisions: int) -> bytes:
    """Return the frame of a decision, the `decisions`-th of its writer. Raises JournalError."""
    try:
        tenant_id, instance, form, erasable = seal(record)
        words = instance.encode()
        head = _INNER.pack(SEALED, a2b_hex(record.id.replace("-", "")), decisions) + _CHAINED.pack(
            FORM, tenant_id, len(words), len(form)
        )
    except (StorageError, struct.error):  # what becomes of it, whoever writes rows decides
        return _encode(CLOSED, record.id, _CLOSED_VALUES(record), decisions)
    return _framed(head + words + form + erasable)


def _encode(kind: int, record_id: str, values: tuple[Any, ...], decisions: int) -> bytes:
    try:
        content = _INNER.pack(kind, a2b_hex(record_id.replace("-", "")), decisions) + orjson.dumps(values)
    except (orjson.JSONEncodeError, ValueError, struct.error) as exc:
        # Unchained: the encoder's message may quote the value.
        raise JournalError(f"journal: a record cannot be written: {type(exc).__name__}") from None
    return _framed(content)


def _framed(content: bytes) -> bytes:
    if len(content) > LONGEST:  # whoever reads would take it for damage
        raise JournalError(f"journal: a record of {len(content)} bytes is too long")
    return _OUTER.pack(_MAGIC, len(content), zlib.crc32(content)) + content


def scan(data: bytes, *, final: bool) -> Iterator[Frame]:
    """Yield what lies in `data`, which begins where a frame should, in order and without gaps.

    What is not whole at the end is left for later, unless it is `final`: nothing will be added. Then it is a hole.
    """
    position, size = 0, len(data)
    view = memoryview(data)
    while position < size:
        frame = _frame_at(view, position)
        if frame is None:
            # A writer appends whole frames only, so if one follows, this will never become whole.
            following = _next_frame(data, view, position + 1)
            if following is None and not final:
                return
            end = size if following is None else following
            frame = (HOLE, b"", 0, position, end)
        yield frame
        position = frame[4]


def last_frame(data: bytes) -> Frame | None:
    """Return the last whole frame in `data`, which may begin anywhere."""
    view, position = memoryview(data), data.rfind(_SIGN)
    while position >= 0:
        frame = _frame_at(view, position)
        if frame is not None:
            return frame
        position = data.rfind(_SIGN, 0, position)
    return None


def sealed_in(frame: bytes) -> Sealed | None:
    """Return the decision in a `sealed` frame as it lies there, None if this version cannot read it."""
    start = _WHOLE.size + _CHAINED.size
    try:
        number, tenant_id, words, form = _CHAINED.unpack_from(frame, _WHOLE.size)
        instance, end = frame[start : start + words].decode(), start + words + form
    except (struct.error, UnicodeDecodeError):
        return None
    if number != FORM or end > len(frame):
        return None
    return Sealed(tenant_id, instance, frame[start + words : end], frame[end:])


def closed_record(frame: bytes) -> DecisionRecord | None:
    """Return the decision in a `closed` or `sealed` frame, None if this version cannot read it."""
    if frame.startswith(journal_frames_v1.MAGIC):
        return journal_frames_v1.record_in(frame[OVERHEAD:])
    try:
        if frame[OVERHEAD] == SEALED:
            sealed = sealed_in(frame)
            return None if sealed is None else unsealed(sealed)
        values: list[Any] = orjson.loads(frame[_WHOLE.size :])
        values[_OUTCOME] = _OUTCOMES[values[_OUTCOME]]
        values[_DEGRADED] = tuple(values[_DEGRADED])
        if len(values) > _SUBJECTS:
            values[_SUBJECTS] = tuple(values[_SUBJECTS])
        return DecisionRecord(*values)
    except (ValueError, LookupError, TypeError):  # what is no JSON is a ValueError
        return None


def interrupted_record(frame: bytes) -> DecisionRecord | None:
    """Return the row of an exchange of which only the `opened` frame is left, None if it cannot be read."""
    if frame.startswith(journal_frames_v1.MAGIC):
        return journal_frames_v1.record_in(frame[OVERHEAD:])
    try:
        return _interrupted(OpenedRecord(*orjson.loads(frame[_WHOLE.size :])))
    except (orjson.JSONDecodeError, TypeError, ValueError):
        return None


def _interrupted(opened: OpenedRecord) -> DecisionRecord:
    known = dict(zip(_OPENED_FIELDS, _OPENED_VALUES(opened), strict=True))
    known |= {"degraded": tuple(opened.degraded), "subjects": tuple(opened.subjects)}
    return DecisionRecord(
        outcome=Outcome.INTERRUPTED,
        status=0,
        error_code="",
        error_stage="",
        request_action=opened.action,
        response_action="",
        provider_saw_prompt=True,  # nobody knows better: it may have
        prompt_tokens=None,
        completion_tokens=None,
        overhead_ms=0.0,
        upstream_ms=0.0,
        total_ms=0.0,
        closed_at=time_of(opened.id),
        **known,
    )


def legible(frame: bytes) -> bytes:
    """Return what a frame that cannot be read holds, as a JSON object where it is an array of values, else as it is.

    A younger version only adds values at the end, so the first ones still go by our names.
    """
    if frame.startswith(journal_frames_v1.MAGIC):
        return frame[OVERHEAD:]
    content = frame[_WHOLE.size :]
    if frame[OVERHEAD] == SEALED:
        return content
    names = _OPENED_FIELDS if frame[OVERHEAD] == OPENED else _CLOSED_FIELDS
    try:
        values = orjson.loads(content)
    except orjson.JSONDecodeError:
        return content
    if not isinstance(values, list):
        return content
    return orjson.dumps({**dict(zip(names, values, strict=False)), "more": values[len(names) :]})


def _frame_at(view: memoryview, position: int) -> Frame | None:
    """Return the frame that begins at `position` if it is whole and undamaged."""
    content = position + OVERHEAD
    try:
        magic, length, checksum, kind, record_id, decisions = _unpack(view, position)
    except struct.error:  # less is left than such a frame needs
        return _old_frame_at(view, position)
    end = content + length
    if magic != _MAGIC:
        return _old_frame_at(view, position)
    if not _INNER.size <= length <= LONGEST or end > len(view) or zlib.crc32(view[content:end]) != checksum:
        return None
    return kind, record_id, decisions, position, end


def _old_frame_at(view: memoryview, position: int) -> Frame | None:
    """The same for version 1, whose content may be of any length."""
    if position + OVERHEAD > len(view):
        return None
    magic, length, checksum = _OUTER.unpack_from(view, position)
    content = position + OVERHEAD
    end = content + length
    if magic != journal_frames_v1.MAGIC or end > len(view) or zlib.crc32(view[content:end]) != checksum:
        return None
    named = journal_frames_v1.name_of(bytes(view[content:end]))
    if named is None:
        return FOREIGN, b"", 0, position, end
    return OPENED if named.opened else CLOSED, named.id, 0, position, end


def _next_frame(data: bytes, view: memoryview, start: int) -> int | None:
    # Text inside a record cannot pass for a frame: JSON holds no NUL, and every length begins with one. In what else a
    # sealed one holds (measures, lengths) nobody outside has a say.
    while (start := data.find(_SIGN, start)) >= 0:
        if _frame_at(view, start) is not None:
            return start
        start += 1
    return None
