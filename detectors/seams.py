"""Seams: where neighbouring segments meet, so that a text split over parts, messages or turns is still seen whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

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
    """Runs of segments not all among the recent ones whose text may have been one: in one message, or of one origin."""
    older = messages[:-LAST_MESSAGES]
    yield from older
    left = sum(map(len, older))
    for _, group in groupby((s for message in messages for s in message), key=lambda s: s.origin):
        run = list(group)
        if left > 0:
            yield run
        left -= len(run)


def _by_origin(recent: Sequence[Segment]) -> Iterator[Sequence[Segment]]:
    for origin in Origin:
        same = [s for s in recent if s.origin is origin]
        if 1 < len(same) < len(recent):
            yield same


def _joined(run: Sequence[Segment]) -> Iterator[Sequence[Segment]]:
    """Cut a run into what one seam holds: pairs around a long segment, whole stretches of short ones."""
    stretch: list[Segment] = []
    size, carried = 0, 1  # `carried` parts in front were joined before, or stand alone
    for part in run:
        stretch.append(part)
        size += min(len(part.text), REACH)
        # A long segment ends a stretch and begins the next one: nothing reaches across it.
        if len(stretch) > carried and (len(part.text) >= REACH or size > LONGEST_RUN):
            yield stretch
            stretch = _end_of(stretch)
            size, carried = sum(min(len(part.text), REACH) for part in stretch), len(stretch)
    if len(stretch) > carried:
        yield stretch


def _end_of(stretch: Sequence[Segment]) -> list[Segment]:
    """The last parts that make up one reach: what is split over a cut is still whole in the next seam."""
    kept: list[Segment] = []
    size = 0
    for part in reversed(stretch):
        if size >= REACH:
            break
        kept.append(part)
        size += len(part.text)
    return kept[::-1]


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
