"""Answers that carry data out when they are shown: images, frames and links whose addresses say more than where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from detectors.addresses import Address, addresses_in, labels_shown, may_hold_addresses
from detectors.carried import Load, load_of
from detectors.guard import Guard
from detectors.rules import RuleSet
from detectors.signature_scan import SignatureScan
from detectors.types import (
    Category,
    Detector,
    Direction,
    Hit,
    InspectionContext,
    Segment,
    Severity,
    Span,
    Stage,
    View,
)

_FETCHED_RULE, _LINKED_RULE, _UNLISTED_RULE = "PS-EXF-101", "PS-EXF-102", "PS-EXF-103"
_MESSAGES: Final = {
    _FETCHED_RULE: "An address that is fetched when it is shown, with data in it",
    _LINKED_RULE: "A link with data in it",
    _UNLISTED_RULE: "Something to fetch from a host that the policy does not list",
}
_TAGS: Final = ("owasp.llm02", "mitre.atlas.aml.t0077")
_UNLISTED: Final = 0.8  # sure enough for the presets to block it, since somebody wrote down what is allowed
_MOST_ADDRESSES: Final = 1000  # of one reading, and how long they are in all; what is beyond is told without a place
_MOST_READ: Final = 1 << 16
_LETTER, _LETTERS = 3, 6  # how short, and how many, the ends of addresses are that spell a text one by one
_SPELLED: Final = 0.4  # the pictures of flags are called like that, too
_NO_GUARD: Final = Guard()
_Claim = tuple[str, float, Span | None]


class RenderingDetector:
    """Reads an answer's plain and decoded readings, not the folded ones: in addresses, capitals count."""

    name = "rendering"
    stage = Stage.PATTERN
    required = True
    cacheable = False
    revision = "1"
    rule_ids = tuple(_MESSAGES)

    def build(self, rules: RuleSet, scan: SignatureScan) -> Detector:
        return self

    def reads(self, segment: Segment, context: InspectionContext) -> bool:
        return segment.direction is Direction.RESPONSE and may_hold_addresses(segment.text)

    async def inspect(self, batch: Sequence[Sequence[View]], context: InspectionContext) -> Sequence[Sequence[Hit]]:
        guard = context.guard or _NO_GUARD
        return [_hits(views, guard) for views in batch]


def _hits(views: Sequence[View], guard: Guard) -> tuple[Hit, ...]:
    kept: dict[tuple[str, Span | None], Hit] = {}
    for view in views:
        if "folded" not in view.transforms and may_hold_addresses(view.text):
            for rule_id, confidence, span in _claims(view.text, guard):
                hit = _hit(view, rule_id, confidence, span)
                kept.setdefault((rule_id, hit.span), hit)
    return tuple(kept.values())


def _claims(text: str, guard: Guard) -> Iterator[_Claim]:
    shown = labels_shown(text)
    letters: defaultdict[str, list[Span]] = defaultdict(list)
    read = 0
    for number, address in enumerate(addresses_in(text)):
        read += len(address.text)
        if number >= _MOST_ADDRESSES or read > _MOST_READ:
            yield _FETCHED_RULE, 0.5, None
            break
        host = address.host
        if guard.lists(host):
            continue
        fetched = address.fetched or address.label in shown
        claim = _claim(address, load_of(address, guard.request), fetched=fetched, listing=bool(guard.hosts))
        if claim is not None:
            yield claim
        end = address.behind.rstrip("/").rpartition("/")[2].rpartition("=")[2]
        if fetched and len(end.partition(".")[0]) <= _LETTER:
            letters[host].append(address.span)
    for spelled in letters.values():
        if len(spelled) >= _LETTERS:
            yield from ((_FETCHED_RULE, _SPELLED, span) for span in spelled)


def _claim(address: Address, load: Load, *, fetched: bool, listing: bool) -> _Claim | None:
    # The image that a definition is for may be far away from it; one that carries data is for an image.
    if (fetched or address.label is not None) and load.fetched:
        return _FETCHED_RULE, max(load.fetched, 0.9 if fetched and listing else 0.0), address.span
    if fetched and listing:
        return _UNLISTED_RULE, _UNLISTED, address.span
    if load.linked:
        return _LINKED_RULE, load.linked, address.span
    return None


def _hit(view: View, rule_id: str, confidence: float, span: Span | None) -> Hit:
    return Hit(
        rule_id,
        "ADDRESS",
        Category.EXFILTRATION,
        Severity.MEDIUM if rule_id == _LINKED_RULE else Severity.HIGH,
        confidence,
        None if span is None else view.to_source(span),
        view.transforms,
        _MESSAGES[rule_id],
        _TAGS,
    )


DETECTOR: Final = RenderingDetector()
