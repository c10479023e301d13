"""Whom an exchange is about: identifiers as they pass by while it is screened, kept as keyed hashes only."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import orjson

from detectors.types import Category, Finding, Kind, Place, Segment
from storage.subjects import MOST_SUBJECTS, subject_hash

# Readings in which a finding's span holds the text itself; in a decoded one it holds the encoded run.
_LEGIBLE: Final = frozenset({"cleaned", "folded", "skeleton"})
_END_USER: Final = ("user", "safety_identifier")
_LONGEST: Final = 512  # characters of an identifier


def subject_hashes(identifiers: Iterable[str], key: bytes, known: Sequence[str] = ()) -> tuple[str, ...]:
    """Return `known` and the hashes of `identifiers` under `subject_key()`: in order, each once, at most 32."""
    hashes, seen = dict.fromkeys(known), set[str]()
    for identifier in identifiers:
        if len(hashes) >= MOST_SUBJECTS:
            break
        if len(identifier) <= _LONGEST and identifier not in seen:  # one address ten thousand times over
            seen.add(identifier)
            hashes[subject_hash(key, identifier)] = None
    hashes.pop("", None)
    return tuple(hashes)


def matched_identifiers(segments: Iterable[Segment], findings: Iterable[Finding]) -> Iterator[str]:
    """Yield what PII findings matched in `segments`, in the order of the findings.

    What was found in a decoded reading or over a seam is left out: its text stands nowhere as such.
    """
    texts: dict[tuple[str, Place], str] = {}
    for finding in findings:
        if finding.hit.category is not Category.PII or not _is_legible(finding):
            continue
        texts = texts or {(s.pointer, s.place): s.text for s in segments if s.kind is not Kind.SEAM}
        span, text = finding.hit.span, texts.get((finding.segment.pointer, finding.segment.place))
        if span is not None and text is not None:
            yield text[span.start : span.end]


def end_users(body: Any) -> Iterator[str]:
    """Yield whom a request names as its end user: `user`, `safety_identifier`, `metadata.user_id`.

    Source: platform.openai.com/docs/api-reference/chat/create and docs.anthropic.com/en/api/messages.
    """
    if not isinstance(body, dict):
        return
    metadata = body.get("metadata")
    named = [body.get(name) for name in _END_USER]
    named += [metadata.get("user_id")] if isinstance(metadata, dict) else []
    yield from (name for name in named if isinstance(name, str))


def personal_json(network: str) -> str:
    """Return a decision's `personal` column: a JSON object with the client's network address, if it is known.

    The salt goes with the address when it is erased, so that from then on `personal_digest`, which stays, cannot be
    tried out against all addresses there are.
    """
    return orjson.dumps({"network": network, "salt": secrets.token_hex(16)}).decode() if network else "{}"


def _is_legible(finding: Finding) -> bool:
    return (
        finding.hit.span is not None
        and finding.segment.kind is not Kind.SEAM
        and (_LEGIBLE.issuperset(finding.hit.transforms))
    )
