"""A body with everything masked that was found in it, whatever its policy does about that: to be stored, not sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final

from detectors.types import Category, Finding, Kind, Place, Span
from policies.types import Edit
from proxy.bodies.json_document import dump, parse
from proxy.bodies.pointer import UneditableError, edit_text, resolve, unescape

_SECRET: Final = frozenset({Category.PII, Category.CREDENTIAL})


class UnmaskableError(ValueError):
    """Something secret was found at no known place, so that nobody can say what to mask."""


def masked_document(document: Any, findings: Iterable[Finding]) -> Any:
    """Return a copy of `document` (as it was scanned) in which every finding reads as its kind in brackets.

    Personal data and credentials without a place take their whole text with them; found over a seam of several texts,
    they raise UnmaskableError.
    """
    found = list(findings)
    if any(f.segment.kind is Kind.SEAM and f.hit.span is None and f.hit.category in _SECRET for f in found):
        raise UnmaskableError("found over a seam")
    copy = parse(dump(document))
    # Keys last and the deepest first: what lies below a key is found by its old name.
    found.sort(key=lambda f: (f.segment.place is Place.KEY, -f.segment.pointer.count("/"), f.segment.pointer))
    for (pointer, place), group in groupby(found, key=lambda f: (f.segment.pointer, f.segment.place)):
        _mask_at(copy, pointer, place, list(group))
    return copy


def masked_text(text: str, findings: Sequence[Finding]) -> str:
    """Return `text` with every finding in it masked; a text that is JSON stays JSON, or is masked whole."""
    whole = next((f for f in findings if f.hit.span is None and f.hit.category in _SECRET), None)
    if whole is not None:
        return _mask(whole)
    placed = [(f.hit.span, _mask(f)) for f in findings if f.hit.span is not None]
    try:
        return edit_text(text, [Edit("", span, mask) for span, mask in _united(placed)])
    except UneditableError:
        return placed[0][1]


def _mask_at(copy: Any, pointer: str, place: Place, findings: Sequence[Finding]) -> None:
    above, _, step = pointer.rpartition("/")
    if not pointer:
        raise UnmaskableError("found in what is no document")
    try:
        parent, key, value = resolve(copy, above), unescape(step), resolve(copy, pointer)
    except UneditableError as exc:
        raise UnmaskableError("found where the document has nothing") from exc
    if place is Place.KEY:
        # A key of the same name may be there already; one of the two values is then lost, and nothing is told.
        parent[masked_text(key, findings)] = parent.pop(key)
        return
    # A number holds whatever was found in it, and masked it may be a text: nobody sends this on.
    masked = masked_text(value, findings) if isinstance(value, str) else _mask(findings[0])
    parent[int(key) if isinstance(parent, list) else key] = masked


def _united(placed: Iterable[tuple[Span, str]]) -> list[tuple[Span, str]]:
    """Spans that overlap become one, under the mask of the first."""
    united: list[tuple[Span, str]] = []
    for span, mask in sorted(placed):
        if united and united[-1][0].overlaps(span):
            united[-1] = (united[-1][0].union(span), united[-1][1])
        else:
            united.append((span, mask))
    return united


def _mask(finding: Finding) -> str:
    return f"[{finding.hit.kind}]"
