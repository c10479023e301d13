"""Most chunks of a stream are one and the same but for a few characters of text: those need not be parsed again."""

from __future__ import annotations

from proxy.bodies.json_document import dump, read_string
from proxy.codec import Frame, Piece


class Recurring:
    """The last event that carried one text and nothing else, as what stands before and behind that text.

    An event that begins and ends in the same way, with one JSON string between, is the same document with another text
    at the same place: there is no second way to read it.
    """

    def __init__(self) -> None:
        self._head, self._tail, self._piece = "", "", Piece("", "")

    def learn(self, data: str, frame: Frame) -> None:
        """Take in an event as it was read."""
        if len(frame.pieces) != 1 or not frame.bare or frame.ends or frame.usage is not None or frame.rest.segments:
            return
        quoted = dump(frame.pieces[0].text).decode()
        if data.count(quoted) == 1:
            self._head, _, self._tail = data.partition(quoted)
            self._piece = frame.pieces[0]

    def piece(self, data: str) -> Piece | None:
        """Return what an event says if it is the known one with another text."""
        head, tail = self._head, self._tail
        if not head or not data.startswith(head) or not data.endswith(tail) or len(data) < len(head) + len(tail) + 2:
            return None
        text = read_string(data[len(head) : len(data) - len(tail)])
        return None if text is None else Piece(self._piece.channel, text, self._piece.whole)
