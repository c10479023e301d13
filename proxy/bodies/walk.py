"""Walking a parsed body: every string, key and long integer becomes a segment; a codec says who wrote it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from detectors.types import Direction, Kind, Origin, Place, Segment, Unscanned
from proxy.bodies.json_document import NumberToken
from proxy.bodies.pointer import escape

LONG_INTEGER = 1_000_000  # seven digits and more may be somebody's number
# Each costs some 20 us however short it is: a body of nothing but tiny parts must not buy seconds of a worker.
MOST_SEGMENTS = 20_000


@dataclass(slots=True)
class Walk:
    """What a walk found. `messages` groups the indexes of segments that one author wrote in one go, oldest first."""

    direction: Direction
    vocabulary: frozenset[str]
    segments: list[Segment] = field(default_factory=list)
    messages: list[list[Segment]] = field(default_factory=list)
    skipped: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    unscanned: dict[Unscanned, int] = field(default_factory=dict)
    _grafted_newest: list[Segment] = field(default_factory=list)

    def visit(self, value: object, origin: Origin, pointer: str) -> None:
        """Take in `value` and all below it. Keys of the dialect's own vocabulary are skipped by rule."""
        if isinstance(value, str):
            if value:
                self._add(value, origin, pointer, Place.VALUE)
        elif isinstance(value, dict):
            for key, child in value.items():
                self.child(key, child, origin, pointer)
        elif isinstance(value, list):
            for index, child in enumerate(value):
                self.visit(child, origin, f"{pointer}/{index}")
        elif isinstance(value, NumberToken):
            self._number(value.text, origin, pointer)
        elif isinstance(value, int | float) and abs(value) >= LONG_INTEGER:  # what is shorter is nobody's number
            self._number(repr(value), origin, pointer)

    def seal(self, text: str, origin: Origin, pointer: str) -> None:
        """Take in a text, that was taken in as a value, once more as one that somebody has signed."""
        self._add(text, origin, pointer, Place.SEALED)

    def child(self, key: str, value: object, origin: Origin, pointer: str) -> None:
        """Take in one member of an object: its key, if it is nobody's vocabulary, and its value."""
        known = key in self.vocabulary
        if known:
            self.skipped["vocabulary"] += 1
            if value is None or value is True or value is False:  # a quarter of all members, and never text
                return
        below = f"{pointer}/{escape(key)}"
        if key and not known:
            self._add(key, origin, below, Place.KEY)
        self.visit(value, origin, below)

    @property
    def full(self) -> bool:
        """Whether nothing more will be read: what comes now is counted as too much."""
        return len(self.segments) >= MOST_SEGMENTS

    def skip(self, reason: str, values: int = 1) -> None:
        """Count values that a rule of the codec leaves out, so that it shows in the coverage."""
        if values:
            self.skipped[reason] += values

    def unread(self, reason: Unscanned, texts: int = 1) -> None:
        """Count texts that nobody can look at, for the policy's `unscanned` map."""
        if not texts:
            return
        self.unscanned[reason] = self.unscanned.get(reason, 0) + texts

    def newest_user_texts(self) -> list[Segment]:
        """Return what the user wrote in the newest turn: a prefill or tool results after it do not end it."""
        newest: list[Segment] = []
        for message in reversed(self.messages):
            own = [s for s in message if s.origin is Origin.USER and s.place is Place.VALUE]
            if newest and not own:
                break
            newest += own
        return [*newest, *self._grafted_newest]

    def graft(self, other: Walk, pointer: str) -> None:
        """Take in what another codec's walk found in the value at `pointer`: a request inside of this one."""
        room = MOST_SEGMENTS - len(self.segments)
        moved = {
            id(s): Segment(s.direction, s.origin, s.kind, s.place, f"{pointer}{s.pointer}", s.text)
            for s in other.segments[:room]
        }
        self.segments += moved.values()
        self.messages += [[moved[id(s)] for s in message if id(s) in moved] for message in other.messages]
        self._grafted_newest += [moved[id(s)] for s in other.newest_user_texts() if id(s) in moved]
        for reason, values in other.skipped.items():
            self.skip(reason, values)
        for unread, texts in other.unscanned.items():
            self.unread(unread, texts)
        if len(other.segments) > room:
            self.unread(Unscanned.OVERSIZE, len(other.segments) - room)

    def message(self, start: int) -> None:
        """Declare the segments since index `start` to be one message."""
        if len(self.segments) > start:
            self.messages.append(self.segments[start:])

    def _number(self, digits: str, origin: Origin, pointer: str) -> None:
        self._add(digits, origin, pointer, Place.NUMBER)

    def _add(self, text: str, origin: Origin, pointer: str, place: Place) -> None:
        if len(self.segments) < MOST_SEGMENTS:
            self.segments.append(Segment(self.direction, origin, Kind.TEXT, place, pointer, text))
        else:
            self.unread(Unscanned.OVERSIZE)
