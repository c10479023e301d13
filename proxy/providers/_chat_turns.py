"""What of a streamed choice is over before its stream says so: clients take reasoning to be over where the answer
begins, both where a call does, and a call where the next one begins.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from detectors.window import LONGEST_WHOLE
from proxy.bodies.json_document import JsonError, parse
from proxy.codec import JsonObject, Piece

_SPOKEN: Final = ("delta/reasoning", "delta/content")
_CALLED: Final = "/function/arguments"
_MOST_CALLS: Final = 512  # that are followed at a time


class Turns:
    """Follows the calls of a stream by their places (`0/delta/tool_calls/1`), and what each choice says in channels
    that begin with one of `spoken`, in the order in which models say it.
    """

    def __init__(self, spoken: tuple[str, ...] = _SPOKEN) -> None:
        self._spoken = spoken
        self._ids: dict[str, str] = {}
        self._arguments: dict[str, list[str]] = {}  # of calls that may still be found to be over
        self._sizes: dict[str, int] = {}
        self._said: set[str] = set()  # prefixes of channels that may still be found to be over
        self._ended: set[str] = set()

    def hear(self, piece: Piece) -> None:
        """Take in what a call is called with."""
        place = piece.channel.removesuffix(_CALLED)
        if place == piece.channel or (place not in self._sizes and len(self._sizes) >= _MOST_CALLS):
            return
        parts = self._arguments.get(place) if place in self._sizes else self._arguments.setdefault(place, [])
        self._sizes[place] = self._sizes.get(place, 0) + len(piece.text)
        if parts is not None:
            parts.append(piece.text)
            if self._sizes[place] > LONGEST_WHOLE:
                del self._arguments[place]

    def replaced(self, calls: Iterable[tuple[str, JsonObject]]) -> Iterator[str]:
        """Yield the places where another call begins than before, as upstreams have it that count no calls.

        An id alone tells nothing, because some have a new one in every chunk.
        """
        for place, call in calls:
            inner, number = call.get("function"), call.get("id")
            if isinstance(inner, dict) and inner.get("name") and isinstance(number, str) and number:
                anew = str(inner.get("arguments")).lstrip().startswith("{")
                if anew and self._ids.get(place, number) != number:
                    self._forget(place)
                    yield f"{place}/"
                self._ids[place] = number

    def over(self, index: int, pieces: Iterable[Piece], calls: Collection[str]) -> Iterator[str]:
        """Yield the prefixes of the channels that a chunk of a choice, with these pieces and calls, shows to be over.

        That is told of each once: what goes on all the same, or began behind what follows it, is held to its end, as
        upstreams have it that say all at once. Arguments are held whole, so a call is over only if they are a JSON
        object, with which nothing can go on.
        """
        spoken = [f"{index}/{prefix}" for prefix in self._spoken]
        said = {prefix for prefix in spoken for piece in pieces if piece.channel.startswith(prefix)}
        if said or calls:
            latest = len(spoken) if calls else max(map(spoken.index, said))
            ended = [prefix for prefix in spoken[:latest] if prefix in self._said and prefix not in said]
            behind = {prefix for prefix in said if not self._said.isdisjoint(spoken[spoken.index(prefix) + 1 :])}
            self._ended |= behind.union(ended)
            self._said = (self._said | said) - self._ended
            yield from ended
            for place in [p for p in self._arguments if p.startswith(f"{index}/") and p not in calls]:
                if _is_object("".join(self._arguments.pop(place))):
                    self._forget(place)
                    yield f"{place}/"

    def _forget(self, place: str) -> None:
        self._arguments.pop(place, None)
        self._sizes.pop(place, None)


def _is_object(text: str) -> bool:
    try:
        return isinstance(parse(text.encode()), dict)
    except (JsonError, UnicodeEncodeError):
        return False
