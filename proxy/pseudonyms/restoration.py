"""The last room of an answer: what was screened gets its real values back, where the policy lets them go."""

from __future__ import annotations

from copy import copy
from typing import Final

from proxy.codec import JsonObject, StreamReader
from proxy.pseudonyms.pseudonyms import Pseudonyms
from proxy.pseudonyms.restorable import SPOKEN, Layout, Use
from proxy.pseudonyms.restoring import ChannelRestorer, restored_text, restored_value
from proxy.pseudonyms.surroundings import Surroundings

_MOST_CHANNELS: Final = 64  # at the same time; what begins beside them keeps its pseudonyms


class Restoration:
    """Restores one answer, whole or streamed: texts, and the arguments of the tools in `tools`.

    What is begun goes on where the text before it ended, since apps show the parts of an answer as one.
    """

    def __init__(self, pseudonyms: Pseudonyms, tools: frozenset[str]) -> None:
        self._pseudonyms, self._tools = pseudonyms, tools
        self._channels: dict[str, ChannelRestorer | None] = {}
        self._end = Surroundings()  # where the last text ended

    def restore(self, document: JsonObject, layout: Layout) -> bool:
        """Put values back in place, and tell whether there were any."""
        changed, end = False, copy(self._end)
        for holder, key, use in layout.places(document):
            before = holder[key]
            if use.tool is None:
                holder[key] = restored_text(before, self._pseudonyms, end)
            elif use.tool in self._tools:
                holder[key] = restored_value(before, self._pseudonyms)
            changed = changed or holder[key] != before
        return changed

    def push(self, reader: StreamReader, channel: str, text: str, *, final: bool) -> str:
        """Return what may be told of a channel by now; with `final` all of it."""
        if channel not in self._channels:
            self._channels[channel] = self._begun(reader.use_of(channel))
        restorer = self._channels[channel]
        told = text if restorer is None else restorer.push(text)
        if not final:
            return told
        del self._channels[channel]
        if restorer is None:
            return told
        told += restorer.finish()
        if reader.use_of(channel) == SPOKEN:
            self._end = restorer.surroundings
        return told

    def held(self, prefixes: tuple[str, ...]) -> list[str]:
        """Return the channels with these prefixes of which something may be held back."""
        return [channel for channel in self._channels if channel.startswith(prefixes)]

    def _begun(self, use: Use | None) -> ChannelRestorer | None:
        """Return what restores a channel from its beginning, None where nothing is to come back."""
        restoring = sum(restorer is not None for restorer in self._channels.values())
        if use is None or restoring >= _MOST_CHANNELS:
            return None
        if use.tool is None:
            return ChannelRestorer(self._pseudonyms, copy(self._end))
        return ChannelRestorer(self._pseudonyms, Surroundings(), whole=True) if use.tool in self._tools else None
