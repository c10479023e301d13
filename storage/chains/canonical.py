"""The canonical form of a decision: the bytes that its hash covers, the same from a record and from a row read back.

Form 1 is three parts joined by line feeds: the plain columns and `closed_at` as a JSON array; the documents as another
(canonical JSON: sorted keys, no spaces, numbers as IEEE doubles in plain decimal notation); the measures as big-endian
doubles. Only the last part can hold a line feed, so no two decisions have the same bytes. Outside stay what can be
erased (`personal`, whose digest is inside; subjects; bodies) and `opened_at`, which follows from the id. A later
release that adds columns adds a form; each row names its own in `canonical`, so old rows stay verifiable.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final, NamedTuple

import orjson

from detectors.errors import StorageError
from storage.types import DecisionRecord, Outcome

FORM: Final = 1  # of what is written now
PLAIN: Final = (
    "id", "tenant_id", "app_id", "key_id", "instance", "worker", "via", "request_id", "route", "dialect", "model",
    "upstream", "streaming", "outcome", "status", "error_code", "error_stage", "mode", "action", "intended_action",
    "request_action", "response_action", "category", "scores_overflow", "degraded", "policy_id", "policy_revision",
    "ruleset_revision", "provider_saw_prompt", "prompt_tokens", "completion_tokens", "personal_digest",
)  # fmt: skip
DOCUMENTS: Final = ("scores", "facts", "coverage", "digests")
MEASURES: Final = ("confidence", "overhead_ms", "upstream_ms", "total_ms")
ERASABLE: Final = ("personal", "subjects", "bodies")

_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_PLAIN_OF: Final = attrgetter(*PLAIN)
_DOCUMENTS_OF: Final = attrgetter(*DOCUMENTS)
_MEASURES_OF: Final = attrgetter(*MEASURES)
_ERASABLE_OF: Final = attrgetter(*ERASABLE)
MEASURED: Final = struct.Struct(f">{len(MEASURES)}d")
_EPOCH: Final = 946_684_800  # 2000-01-01, where Postgres counts from


class Sealed(NamedTuple):
    """A decision ready to be chained: into which chain it goes, its canonical form, and as a JSON array the values of
    ERASABLE, which no hash covers. Read from a file it may hold anything; then its properties raise ValueError.
    """

    tenant_id: int
    instance: str
    canonical: bytes
    erasable: bytes

    @property
    def id(self) -> bytes:
        """The text of its UUID."""
        return self.canonical[2:38]

    def parts(self) -> tuple[bytes, bytes, bytes]:
        """Return the three parts of the canonical form: the plain columns, the documents, the measures.

        Raises ValueError.
        """
        form, end = self.canonical, -MEASURED.size
        plain = form.index(b"\n")
        return form[:plain], form[plain + 1 : end - 1], form[end:]

    @property
    def closed_at(self) -> float:
        """When it closed, in seconds since the epoch."""
        plain = self.parts()[0]
        return _seconds(int(plain[plain.rindex(b",") + 1 : -1]))


def seal(record: DecisionRecord) -> Sealed:
    """Return what is hashed and stored of a record. Raises StorageError for what no row can hold."""
    try:
        if not _ID.fullmatch(record.id):
            raise StorageError("a decision's id is a UUID of version 7 in lower case")
        documents = _DOCUMENTS_OF(record)
        joined = f"[{','.join(documents)}]"
        if record.canonical != FORM or _may_be_unsettled(joined):
            joined = f"[{','.join(map(canonical_json_of, documents))}]"
        plain = (*_PLAIN_OF(record), microseconds(record.closed_at))
        if type(record.tenant_id) is not int or type(record.instance) is not str:
            raise StorageError("a decision's chain is that of an instance's name and a tenant's number")
        measures = MEASURED.pack(*_MEASURES_OF(record))
        if math.isnan(sum(MEASURED.unpack(measures))):  # there are many ways to be no number, and a row knows one
            measures = MEASURED.pack(*(math.nan if math.isnan(value) else value for value in _MEASURES_OF(record)))
        form = _joined(plain, joined, measures)
        return Sealed(record.tenant_id, record.instance, form, orjson.dumps(_ERASABLE_OF(record)))
    except (TypeError, ValueError, OverflowError, struct.error) as exc:
        raise StorageError(f"a decision holds a value that its column cannot: {type(exc).__name__}") from exc


def unsealed(sealed: Sealed) -> DecisionRecord:
    """Return the record that was sealed; its documents are in canonical form. Raises ValueError where it is none."""
    plain, documents, measures = sealed.parts()
    try:
        *values, closed_at = orjson.loads(plain)
        personal, subjects, bodies = orjson.loads(sealed.erasable)
        fields = dict(zip(PLAIN, values, strict=True))
        fields |= zip(DOCUMENTS, map(canonical_json, orjson.loads(documents)), strict=True)
        fields |= zip(MEASURES, MEASURED.unpack(measures), strict=True)
        fields |= {"outcome": Outcome(fields["outcome"]), "degraded": tuple(fields["degraded"])}
        fields |= {"personal": personal, "subjects": tuple(subjects), "bodies": bodies}
        return DecisionRecord(**fields, closed_at=_seconds(closed_at), canonical=FORM)
    except (TypeError, struct.error) as exc:
        raise ValueError("this is no decision") from exc


def canonical_of_row(plain: Sequence[object], documents: str, measures: bytes) -> bytes:
    """Return what a row in form 1 hashed to: the values of PLAIN and then `closed_at` in `microseconds`; a JSON array
    of DOCUMENTS as Postgres writes them; MEASURES as it sends them. Raises ValueError for what no record can have held.
    """
    try:
        return _joined(plain, canonical_json_of(documents), measures)
    except TypeError as exc:
        raise ValueError("nested deeper than any record, or nothing at all") from exc


def canonical_json(value: object) -> str:
    """Return `value` as JSON with sorted keys and without spaces, as a record's documents want it.

    A record all of whose documents were made by it says `canonical=1`, which saves the writer the parsing.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def canonical_json_of(text: str) -> str:
    """Return the canonical form of a JSON text, whoever wrote it: Postgres keeps jsonb in an order and notation of its
    own. Raises ValueError for what is no JSON, TypeError for what is nested too deeply.
    """
    document = orjson.loads(text)
    fast = orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()
    return _written_out(document) if _may_be_unsettled(fast) else fast


def microseconds(seconds: float) -> int:
    """Return epoch seconds as Postgres' to_timestamp() stores them: microseconds since 2000, ties to even."""
    return round((seconds - _EPOCH) * 1e6)


def _seconds(since_2000: int) -> float:
    return since_2000 / 1e6 + _EPOCH


def opened_microseconds(decision_id: str) -> int:
    """Return the `opened_at` that belongs to an id, in `microseconds`, as private.opened_at() computes it."""
    return microseconds(int(decision_id[:8] + decision_id[9:13], 16) / 1000.0)


def _joined(plain: Sequence[object], documents: str, measures: bytes) -> bytes:
    return b"%b\n%b\n%b" % (orjson.dumps(plain), documents.encode(), measures)


def _may_be_unsettled(text: str) -> bool:
    """Whether there may be a number with an exponent or a negative zero: Postgres gives these back in another notation,
    and serialisers differ in theirs. What only looks like one, in a string, costs time and nothing else.
    """
    # One character is found ten times as fast as two.
    return ("+" in text and "e+" in text) or ("-" in text and ("e-" in text or "-0.0" in text))


def _written_out(value: Any) -> str:
    """Canonical JSON with every number in plain decimal notation: the shortest digits that read back as it."""
    if isinstance(value, dict):
        # As orjson sorts: by the bytes of UTF-8, which is the order of code points.
        pairs = (f"{orjson.dumps(key).decode()}:{_written_out(value[key])}" for key in sorted(value))
        return f"{{{','.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_written_out, value))}]"
    if isinstance(value, float):
        digits = f"{Decimal(repr(value + 0.0)):f}"  # + 0.0: negative zero is zero
        return digits if "." in digits else f"{digits}.0"
    return orjson.dumps(value).decode()
