"""Seams: where neighbouring segments meet, so that a text split over parts, messages or turns is still seen whole."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property, lru_cache, partial
from itertools import chain, groupby
from operator import attrgetter
from typing import Final, TypeAlias

from detectors.types import LEAST_TRUSTED_FIRST, Direction, Kind, Origin, Place, Segment, Span

REACH: Final = 512  # characters taken from either side of a joint
LAST_MESSAGES: Final = 8
LONGEST_RUN: Final = 64 * 1024
_TURN: Final = 2  # messages with which what is joined ends: one of a user and one of a model
_UNBROKEN: Final = 64  # characters without a blank: no prose
_RANK: Final = {origin: rank for rank, origin in enumerate(LEAST_TRUSTED_FIRST)}
_TEXT, _VALUE = Kind.TEXT, Place.VALUE  # looked up on their classes, members cost ten times as much
_origin = attrgetter("origin")
_LONGEST_KEPT: Final = 128  # characters of a pointer
_INDEX: Final = re.compile(r"/[0-9]+(?![^/])")
# Under which a model reads what is said; what stands beside (ids, names, types, marks) is not part of it.
_SPOKEN: Final = frozenset(
    {"text", "content", "parts", "output", "result", "data", "thinking", "refusal", "reasoning", "reasoning_content"}
)
Message: TypeAlias = Sequence[Segment]
Wanted: TypeAlias = Callable[[Segment], bool]


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

    def within(self, span: Span) -> tuple[Segment, Span] | None:
        """Return the part behind a joint in which a span lies, and where it lies in there.

        None for what lies before all joints, over one, or at the end of a last part that was cut.
        """
        number = bisect_right(self.joints, span.start)
        start = self.joints[number - 1] + 1 if number else 0
        end = self.joints[number] if number < len(self.joints) else len(self.text)
        part = self.parts[number]
        cut = len(part.text) > end - start and span.end == end
        if not number or span.start < start or span.end > end or cut:
            return None
        return part, Span(span.start - start, span.end - start)


def seams(messages: Sequence[Sequence[Segment]]) -> list[Seam]:
    """Return the seams of a conversation: `messages` holds, oldest first, the text segments of each message.

    Neighbours within a message, a run of one origin, and the last eight messages are joined by 512 characters of each.
    Shorter segments are joined whole: those of one message or of one origin up to 64 KiB, those of the last messages
    turn by turn, with 512 characters from before it. Segments of one origin in the last eight messages are also joined
    with what lies between left out, and of all these so are texts that stand in the same place of their messages: an id
    or a mark between two of them does not part what a model reads as one.
    """
    texts = [[s for s in message if s.kind is _TEXT and s.place is _VALUE and s.text] for message in messages]
    stretches = chain(_neighbourhoods(texts), _recent(texts))
    return [Seam(parts) for parts in {tuple(map(id, parts)): parts for parts in stretches}.values()]


def _neighbourhoods(messages: Sequence[Message]) -> Iterator[Message]:
    """Stretches of segments not all among the recent ones whose text may have been one: in one message, or of one
    origin.
    """
    older = messages[:-LAST_MESSAGES]
    if not older:
        return
    for message in older:
        if len(message) > 1:
            yield from _near(message)
    left = sum(map(len, older))
    for _, group in groupby(chain.from_iterable(messages), key=_origin):
        if left <= 0:
            return
        run = list(group)
        if len(run) > 1:
            yield from _near(run)
        left -= len(run)


def _near(run: Message) -> Iterator[Message]:
    """Stretches of a run, and of what in it stands in one place."""
    yield from _joined(run)
    for place in _places(run):
        yield from _joined([part for part in run if _place(part.pointer) == place])


def _recent(messages: Sequence[Message]) -> Iterator[Message]:
    """Stretches of the last messages, of what each origin said in them, and of what of all that stands in one place."""
    first = max(len(messages) - LAST_MESSAGES, 0)
    yield from _in_turns(messages, first, _is_any)
    origins = dict.fromkeys(map(_origin, chain.from_iterable(messages[first:])))
    origins = origins if len(origins) > 1 else {}
    for origin in origins:
        yield from _in_turns(messages, first, partial(_is_of, origin))
    for place in _places(list(chain.from_iterable(messages[max(first - LAST_MESSAGES, 0) :]))):
        yield from _in_turns(messages, first, partial(_is_at, place))
        for origin in origins:
            yield from _in_turns(messages, first, partial(_is_of, origin, place=place))


def _in_turns(messages: Sequence[Message], first: int, wanted: Wanted) -> Iterator[Message]:
    """Join what is wanted of the messages from the `first` on to stretches that end with each turn.

    Turns are counted from the first message of all: of a conversation that goes on only the last stretch is new.
    """
    start = first - first % _TURN
    before: list[Segment] = []
    size = 0
    for part in chain.from_iterable(map(reversed, reversed(messages[:start]))):
        if size >= REACH:
            break
        if wanted(part):
            before.append(part)
            size += len(part.text)
    run = before[::-1]
    ends = set()
    for number, message in enumerate(messages[start:], start=1):
        run += filter(wanted, message)
        if not number % _TURN:
            ends.add(len(run))
    return _joined(run, max(len(before), 1), ends)


def _places(run: Message) -> Sequence[str]:
    """Return the places where somebody speaks in a run; none if all of it stands in one."""
    places = dict.fromkeys(_place(part.pointer) for part in run)
    return [place for place in places if place] if len(places) > 1 else ()


def _is_any(_part: Segment) -> bool:
    return True


def _is_at(place: str, part: Segment) -> bool:
    return _place(part.pointer) == place


def _is_of(origin: Origin, part: Segment, place: str | None = None) -> bool:
    return part.origin is origin and (place is None or _is_at(place, part))


def _place(pointer: str) -> str:
    """Return a pointer without its numbers; nothing where nobody speaks."""
    # Those of messages recur; one below a key of a megabyte, which a client chose, is not to be kept.
    return _known_place(pointer) if len(pointer) <= _LONGEST_KEPT else _known_place.__wrapped__(pointer)


@lru_cache(maxsize=4096)
def _known_place(pointer: str) -> str:
    bare = _INDEX.sub("", pointer)
    return bare.removesuffix("/text") if bare.rpartition("/")[2] in _SPOKEN else ""


def _joined(run: Message, known: int = 1, ends: Collection[int] = ()) -> Iterator[Message]:
    """Cut a run into what one seam holds: pairs around a long segment, whole stretches of short ones.

    These end where they are longer than LONGEST_RUN, or at one of `ends` (numbers of the segments before it). The first
    `known` segments were joined before, or stand alone.
    """
    start = size = 0
    for number, part in enumerate(run, start=1):
        length = len(part.text)
        size += min(length, REACH)
        if number <= known:
            continue
        if length >= REACH:  # it ends a stretch and begins the next one: nothing reaches across it
            yield run[start:number]
            start, size, known = number - 1, REACH, number
        elif size > LONGEST_RUN or (number in ends and not _goes_on(part)):
            yield run[start:number]
            start, size = _end_of(run, number)
            known = number
    if len(run) > known:
        yield run[start:]


def _goes_on(part: Segment) -> bool:
    """Tell whether a segment ends like a piece of base64 or the like, which can only be read from its beginning."""
    end = part.text[-_UNBROKEN:]
    return len(end) == _UNBROKEN and end.isascii() and len(end.split()) == 1


def _end_of(run: Message, number: int) -> tuple[int, int]:
    """Return where the last parts before `number` begin that make up one reach, and their size: what is split over a
    cut is still whole in the next seam.
    """
    size = 0
    while size < REACH and number:
        number -= 1
        size += min(len(run[number].text), REACH)
    return number, size
