"""Stage hits as bytes, for a store that others can reach: compact, versioned, and sealed against change."""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest
from typing import Any, Final

import orjson

from detectors.batch import StageHits
from detectors.types import Category, Hit, Severity, Span

VERSION: Final = 2
SEAL: Final = 16  # bytes of keyed BLAKE2b in front: over the place and the rest
LARGEST: Final = 16 << 10  # bytes; what is larger is not worth keeping


def dump_hits(found: StageHits, place: str, key: bytes) -> bytes | None:
    """Return the bytes to keep at `place`, None where they would be too many."""
    hits = {detector: [hit_row(hit) for hit in claims] for detector, claims in found.hits.items()}
    body = orjson.dumps([VERSION, found.exhausted, hits])
    return _seal(body, place, key) + body if len(body) <= LARGEST else None


def load_hits(raw: bytes, place: str, key: bytes) -> StageHits | None:
    """Return what `dump_hits` wrote for this very place under this key; None for anything else."""
    seal, body = raw[:SEAL], raw[SEAL:]
    if len(body) > LARGEST or not compare_digest(seal, _seal(body, place, key)):
        return None
    try:
        version, exhausted, hits = orjson.loads(body)
        if version != VERSION:
            return None
        return StageHits({name: tuple(hit_of(row) for row in rows) for name, rows in hits.items()}, bool(exhausted))
    except (ValueError, TypeError, AttributeError):  # written by a version that kept something else under this number
        return None


def _seal(body: bytes, place: str, key: bytes) -> bytes:
    return blake2b(place.encode() + b"\0" + body, key=key, digest_size=SEAL).digest()


def hit_row(hit: Hit) -> list[Any]:
    """Return a hit as JSON can say it."""
    span = None if hit.span is None else [hit.span.start, hit.span.end]
    return [
        hit.rule_id,
        hit.kind,
        str(hit.category),
        int(hit.severity),
        hit.confidence,
        span,
        hit.transforms,
        hit.message,
        hit.tags,
        hit.level,
    ]


def hit_of(row: list[Any]) -> Hit:
    """Return the hit of such a row. Raises ValueError, TypeError for any other."""
    rule_id, kind, category, severity, confidence, span, transforms, message, tags, level = row
    return Hit(
        rule_id=rule_id,
        kind=kind,
        category=Category(category),
        severity=Severity(severity),
        confidence=float(confidence),
        span=None if span is None else Span(*span),
        transforms=tuple(transforms),
        message=message,
        tags=tuple(tags),
        level=int(level),
    )
