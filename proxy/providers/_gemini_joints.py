"""What the client already has of each channel, so that a text cut in two by another part is still read as one."""

from __future__ import annotations

from typing import Final

from detectors.types import Direction, Kind, Origin, Place, Segment

_REACH: Final = 512  # characters on either side of a joint


class Joints:
    """Follows the channels of one stream. A channel that was cut short goes on in a window that knows nothing of it."""

    def __init__(self) -> None:
        self._sent: dict[str, str] = {}
        self._cut: set[str] = set()
        self._open: dict[str, tuple[str, str]] = {}

    def send(self, channel: str, text: str) -> None:
        """Note what goes out to the client, edits made."""
        self._sent[channel] = (self._sent.get(channel, "") + text)[-_REACH:]

    def cut(self, channel: str) -> None:
        """Note that a channel's text is interrupted."""
        self._cut.add(channel)

    def seam(self, channel: str, text: str) -> Segment | None:
        """Return the meeting of a text that goes on with what was sent of its channel before, None far from a joint."""
        if channel in self._cut:
            self._cut.discard(channel)
            self._open[channel] = (self._sent.get(channel, ""), "")
        if channel not in self._open:
            return None
        before, after = self._open.pop(channel)
        after = (after + text)[:_REACH]
        if not before:
            return None
        if len(after) < _REACH:
            self._open[channel] = (before, after)
        text = f"{before}\n{after}"
        return Segment(Direction.RESPONSE, Origin.ASSISTANT, Kind.SEAM, Place.VALUE, "", text, (len(before),))
