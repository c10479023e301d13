"""Texts of a stream's events that no codec knows: a later event may go on where an earlier one ended."""

from __future__ import annotations

from typing import Final

from detectors.seams import REACH
from detectors.types import Place
from proxy.bodies.walk import Walk
from proxy.streams.joints import seam_of

_MOST: Final = 256  # places of one stream that are remembered


class LooseTexts:
    """Remembers the end of what was said at each place. Such texts go out with their events: a mask on a seam stops."""

    def __init__(self) -> None:
        self._said: dict[int, str] = {}

    def read(self, walk: Walk, event: str) -> None:
        """Have the texts of an event of this name read also behind those of the events of its name before it."""
        for segment in [segment for segment in walk.segments if segment.place is Place.VALUE]:
            place = hash((event, segment.pointer))  # either may be as long as an event
            before = self._said.pop(place, "")
            if before:
                walk.segments.append(seam_of(before, segment.text))
            self._said[place] = (before + segment.text)[-REACH:]
        while len(self._said) > _MOST:
            del self._said[next(iter(self._said))]
