"""Seams: where neighbouring segments meet, so that a text split over parts, messages or turns is still seen whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from detectors.types import LEAST_TRUSTED_FIRST, Kind, Origin, Place, Segment

REACH = 512  # characters taken from either side of a joint
LAST_MESSAGES = 8
LONGEST_RUN = 64 * 1024
_RANK = {origin: rank for rank, origin in enumerate(LEAST_TRUSTED_FIRST)}


def seams(messages: Sequence[Sequence[Segment]]) -> list[Segment]:
    """Return the seams of a conversation: `messages` holds, oldest first, the text segments of each message.

    Neighbours within a message, a run of one origin, and the last eight messages are joined by 512 characters of each;
    a run of shorter segments is joined whole, up to 64 KiB. Segments of one origin in the last eight messages are
    also joined with what lies between left out.
    """
    texts = [[s for s in message if s.kind is Kind.TEXT and s.place is Place.VALUE and s.text] for message in messages]
    recent = [s for message in texts[-LAST_MESSAGES:] for s in message]
    found: dict[tuple[str, ...], Segment] = {}
    for run in (*_neighbourhoods(texts), recent, *_by_origin(recent)):
        for parts in _joined(run):
            found.setdefault(tuple(part.pointer for part in parts), _seam(parts))
    return list(found.values())


def _neighbourhoods(messages: Sequence[Sequence[Segment]]) -> Iterator[Sequence[Segment]]:
    """Runs of segments outside the recent ones whose text may have been one: in one message, or of one origin."""
    older = [s for message in messages[:-LAST_MESSAGES] for s in message]
    yield from messages[:-LAST_MESSAGES]
    for _, run in groupby(older, key=lambda s: s.origin):
        yield list(run)


def _by_origin(recent: Sequence[Segment]) -> Iterator[Sequence[Segment]]:
    for origin in Origin:
        same = [s for s in recent if s.origin is origin]
        if 1 < len(same) < len(recent):
            yield same


def _joined(run: Sequence[Segment]) -> Iterator[Sequence[Segment]]:
    """Cut a run into what one seam holds: pairs around a long segment, whole stretches of short ones."""
    stretch: list[Segment] = []
    size = 0
    for left, right in pairwise(run):
        if not stretch:
            stretch, size = [left], min(len(left.text), REACH)
        stretch.append(right)
        size += min(len(right.text), REACH)
        # A long segment ends a stretch and begins the next one: nothing reaches across it.
        if len(right.text) >= REACH or size > LONGEST_RUN:
            yield stretch
            stretch, size = [], 0
    if stretch:
        yield stretch


def _seam(parts: Sequence[Segment]) -> Segment:
    first, last = parts[0], parts[-1]
    texts = [first.text[-REACH:], *(part.text for part in parts[1:-1]), last.text[:REACH]]
    joints, position = [], 0
    for text in texts[:-1]:
        position += len(text)
        joints.append(position)
        position += 1
    return Segment(
        direction=last.direction,
        origin=min((part.origin for part in parts), key=_RANK.__getitem__),
        kind=Kind.SEAM,
        place=Place.VALUE,
        pointer=last.pointer,
        text="\n".join(texts),
        joints=tuple(joints),
    )
