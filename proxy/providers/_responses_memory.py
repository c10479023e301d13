"""What the channels of a stream were given and what of it was sent, so that the events that repeat it say the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from proxy.bodies.pointer import escape
from proxy.providers._responses_copies import drop_offsets
from proxy.providers._responses_events import Taken, copy_place
from proxy.streams.sse import LONGEST_EVENT

# Where an event repeats a text that was streamed before it.
_COPIES: Final = frozenset(
    {"text", "refusal", "arguments", "input", "code", "command", "commands", "diff", "transcript", "output_text"}
)
_OVERHEAD: Final = 64  # characters that the memory of one text counts beside its own


@dataclass(slots=True)
class _Channel:
    """One running text: the event that carries it, what the upstream said, what the screen let pass, what was sent."""

    taken: Taken
    given: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    ended: bool = False


@dataclass(frozen=True, slots=True)
class _Copy:
    """A text that was given on `channels`; `place` is the name of the channel that it would have."""

    holder: Any
    key: str | int
    text: str
    channels: dict[str, _Channel]
    place: str

    def sent(self) -> str:
        """Return what was sent of this very channel.

        Another one that was given the same text may have got values back that are not for this place: a text, or the
        arguments of another tool. Of those it is what the screen let pass.
        """
        own = self.channels.get(self.place)
        return "".join(own.sent if own is not None else next(reversed(self.channels.values())).released)


class Memory:
    """Knows a copy by what it says, wherever it stands: a text that was streamed and judged need not be judged again.

    An event that repeats everything cannot be longer than any event may be, so nothing beyond that is remembered;
    what is not remembered is read where it stands.
    """

    def __init__(self) -> None:
        self._channels: dict[str, _Channel] = {}
        self._ended: dict[str, dict[str, _Channel]] = {}
        self._copies: list[_Copy] = []
        self._size = 0

    def give(self, taken: Taken) -> None:
        """Note a text that the upstream sent on a channel."""
        name = taken.piece.channel
        channel = self._channels.get(name)
        if channel is None or channel.ended:
            channel = self._channels[name] = _Channel(taken)
        channel.taken = taken
        self._size += len(taken.piece.text) + _OVERHEAD
        if self._size <= LONGEST_EVENT:
            channel.given.append(taken.piece.text)

    def release(self, name: str, text: str) -> None:
        """Note a text that may be sent on a channel, as it is before it is restored."""
        if self._size <= LONGEST_EVENT:
            self._channels[name].released.append(text)

    def carrier(self, name: str, text: str) -> Taken:
        """Note a text that is sent on a channel, and return what carries it."""
        channel = self._channels[name]
        if self._size <= LONGEST_EVENT:
            channel.sent.append(text)
        return channel.taken

    def end(self, prefixes: tuple[str, ...]) -> None:
        """Note that the channels with these prefixes are complete. Those that were so an event ago are let go."""
        for name in [name for name, channel in self._channels.items() if channel.ended]:
            del self._channels[name]
        for name, channel in self._channels.items():
            if name.startswith(prefixes):
                channel.ended = True
                if self._size <= LONGEST_EVENT and channel.taken.field == "":
                    self._ended.setdefault("".join(channel.given), {})[name] = channel

    def take_copies(self, document: Any) -> None:
        """Empty every copy in an event of what was streamed, until `fill`."""
        self._copies = list(self._find_in_event(document)) if self._ended else []
        for copy in self._copies:
            copy.holder[copy.key] = ""

    def fill(self) -> bool:
        """Put into the copies what was sent, and tell whether that is another text; offsets into the old one go."""
        changed = False
        for copy in self._copies:
            sent = copy.sent()
            copy.holder[copy.key] = sent
            changed |= sent != copy.text
            if sent != copy.text and isinstance(copy.holder, dict):
                drop_offsets(copy.holder)
        self._copies = []
        return changed

    def changed(self, channel: str) -> bool:
        """Tell whether what was sent of a channel so far is anything but the beginning of what was given."""
        known = self._channels.get(channel)
        return known is not None and not "".join(known.given).startswith("".join(known.sent))

    def _find_in_event(self, document: Any) -> Iterator[_Copy]:
        for name, child in document.items() if isinstance(document, dict) else ():
            yield from self._match(document, name, child, name, copy_place(document, name))

    def _find(self, value: Any, key: str, place: str) -> Iterator[_Copy]:
        if isinstance(value, dict):
            for name, child in value.items():
                yield from self._match(value, name, child, name, f"{place}{escape(name)}/")
        elif isinstance(value, list):
            for index, child in enumerate(value):
                yield from self._match(value, index, child, key, f"{place}{index}/")

    def _match(self, holder: Any, step: str | int, child: Any, key: str, place: str) -> Iterator[_Copy]:
        if isinstance(child, str):
            channels = self._ended.get(child) if key in _COPIES else None
            if channels is not None:
                yield _Copy(holder, step, child, channels, place.removesuffix("/"))
        else:
            yield from self._find(child, key, place)
