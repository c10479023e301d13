"""Seams: where neighbouring segments meet, so that a text split over parts, messages or turns is still seen whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain, groupby
from operator import attrgetter
from typing import Final

from detectors.types import LEAST_TRUSTED_FIRST, Direction, Kind, Origin, Place, Segment

REACH: Final = 512  # characters taken from either side of a joint
LAST_MESSAGES: Final = 8
LONGEST_RUN: Final = 64 * 1024
_RANK: Final = {origin: rank for rank, origin in enumerate(LEAST_TRUSTED_FIRST)}
_TEXT, _VALUE = Kind.TEXT, Place.VALUE  # looked up on their classes, members cost ten times as much
_origin = attrgetter("origin")


class Seam(Segment):
    """The segment where `parts` meet. What it says is put together when somebody reads it: of a conversation that goes
    on, most seams are known by their parts.
    """

    kind = Kind.SEAM
    place = Place.VALUE

    def __init__(self, parts: Sequence[Segment]) -> None:
        self.parts = parts

    @property
    def direction(self) -> Direction:
        return self.parts[-1].direction

    @property
    def pointer(self) -> str:
        return self.parts[-1].pointer

    @cached_property
    def origin(self) -> Origin:
        return min((part.origin for part in self.parts), key=_RANK.__getitem__)

    @cached_property
    def _pieces(self) -> Sequence[str]:
        first, *between, last = self.parts
        return [first.text[-REACH:], *(part.text for part in between), last.text[:REACH]]

    @cached_property
    def text(self) -> str:
        return "\n".join(self._pieces)

    @cached_property
    def joints(self) -> tuple[int, ...]:
        joints, position = [], 0
        for piece in self._pieces[:-1]:
            position += len(piece)
            joints.append(position)
            position += 1
        return tuple(joints)


def seams(messages: Sequence[Sequence[Segment]]) -> list[Seam]:
    """Return the seams of a conversation: `messages` holds, oldest first, the text segments of each message.

    Neighbours within a message, a run of one origin, and the last eight messages are joined by 512 characters of each;
    a run of shorter segments is joined whole, up to 64 KiB. Segments of one origin in the last eight messages are
    also joined with what lies between left out.
    """
    texts = [[s for s in message if s.kind is _TEXT and s.place is _VALUE and s.text] for message in messages]
    recent = [s for message in texts[-LAST_MESSAGES:] for s in message]
    found: dict[tuple[int, ...], Seam] = {}
    for run in (*_neighbourhoods(texts), recent, *_by_origin(recent)):
        for parts in _joined(run):
            known = tuple(map(id, parts))
            if known not in found:
                found[known] = Seam(parts)
    return list(found.values())


def _neighbourhoods(messages: Sequence[Sequence[Segment]]) -> Iterator[Sequence[Segment]]:
    """Runs of segments not all among the recent ones whose text may have been one: in one message, or of one origin."""
    older = messages[:-LAST_MESSAGES]
    if not older:
        return
    yield from (message for message in older if len(message) > 1)
    left = sum(map(len, older))
    for _, group in groupby(chain.from_iterable(messages), key=_origin):
        if left <= 0:
            return
        run = list(group)
        if len(run) > 1:
            yield run
        left -= len(run)


def _by_origin(recent: Sequence[Segment]) -> Iterator[Sequence[Segment]]:
    by_origin: dict[Origin, list[Segment]] = {}
    for segment in recent:
        by_origin.setdefault(segment.origin, []).append(segment)
    yield from (same for same in by_origin.values() if 1 < len(same) < len(recent))


def _joined(run: Sequence[Segment]) -> Iterator[Sequence[Segment]]:
    """Cut a run into what one seam holds: pairs around a long segment, whole stretches of short ones."""
    stretch: list[Segment] = []
    size, carried = 0, 1  # `carried` parts in front were joined before, or stand alone
    for part in run:
        stretch.append(part)
        length = len(part.text)
        size += min(length, REACH)
        # A long segment ends a stretch and begins the next one: nothing reaches across it.
        if len(stretch) > carried and (length >= REACH or size > LONGEST_RUN):
            yield stretch
            stretch = [part] if length >= REACH else _end_of(stretch)
            size, carried = sum([min(len(part.text), REACH) for part in stretch]), len(stretch)
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
