"""What went out of each running text of a stream, so that one that is cut in two is still read as one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Final

from detectors.seams import REACH
from detectors.types import Direction, Kind, Origin, Place, Segment

_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_MOST: Final = 2048  # texts of one stream that are remembered


class Joints:
    """Follows the channels of one stream. A channel that begins goes on with what its strand (the running text as a
    client joins it: every block of an answer, say) said last, or with what it said itself before it was interrupted.
    """

    def __init__(self, strand_of: Callable[[str], str]) -> None:
        self._strand_of = strand_of
        self._said: dict[str, str] = {}  # by channel and by strand: the last of what went out, edits made
        self._open: dict[str, tuple[str, ...]] = {}  # by channel: what stands before it, while that is within reach
        self._heads: dict[str, str] = {}  # by channel: the first of what went out
        self._beside: defaultdict[str, list[str]] = defaultdict(list)  # by channel: others that were open with it
        self._furthest: dict[str, tuple[int, ...]] = {}  # by strand: the last position of a channel that began

    def begin(self, channel: str, held: Mapping[str, str]) -> None:
        """Note that a channel begins, or begins anew; `held` is what other open channels have still to say."""
        strand = self._strand_of(channel)
        if strand in self._furthest or len(self._furthest) < _MOST:
            self._furthest[strand] = max(_position(channel), self._furthest.get(strand, ()))
        before = [self._said.get(name, "") for name in (_channel(channel), _strand(strand))]
        siblings = {
            other: text for other, text in held.items() if other != channel and self._strand_of(other) == strand
        }
        for other, text in siblings.items():
            before.append((self._said.get(_channel(other), "") + text)[-REACH:])
            self._beside[other].append(channel)
            self._beside[channel].append(other)
        before.append((before[1] + "".join(siblings.values()))[-REACH:])
        if standing := tuple(dict.fromkeys(said for said in before if said)):
            self._open[channel] = standing

    def send(self, channel: str, text: str) -> None:
        """Note what goes out to the client."""
        for name in (_channel(channel), _strand(self._strand_of(channel))):
            self._said[name] = (self._said.pop(name, "") + text)[-REACH:]
        while len(self._said) > _MOST:
            del self._said[next(iter(self._said))]
        head = self._heads.get(channel, "")
        if len(head) < REACH and (head or len(self._heads) < _MOST):
            self._heads[channel] = (head + text)[:REACH]

    def end(self, channel: str) -> None:
        """Note that nothing of a channel is within reach of what stands before it any more."""
        self._open.pop(channel, None)

    def before(self, channel: str) -> tuple[str, ...]:
        """Return the texts that a channel goes on with; none far from a joint."""
        return self._open.get(channel, ())

    def beside(self, channel: str, rest: str, held: Mapping[str, str]) -> list[Segment]:
        """Return where a channel, which ends with `rest`, meets those that went on beside it: a client may put any of
        them behind it. And what was said before it at positions that are behind it.
        """
        end = (self._said.get(_channel(channel), "") + rest)[-REACH:]
        heads = [self._heads.get(other, "") + held.get(other, "") for other in self._beside.pop(channel, ())]
        heads.append(self._behind(channel))
        return [seam_of(end, head) for head in heads if end and head]

    def _behind(self, channel: str) -> str:
        """Return how what was said at later positions of the same text begins; mostly nothing was."""
        strand, position = self._strand_of(channel), _position(channel)
        if position >= self._furthest.get(strand, position):
            return ""
        later = sorted((_position(name), name) for name in self._heads if self._strand_of(name) == strand)
        return "".join(self._heads[name] for place, name in later if place > position)


def seam_of(before: str, after: str) -> Segment:
    """Return the meeting of what was sent and what goes on with it."""
    text = f"{before}\n{after[:REACH]}"
    return Segment(Direction.RESPONSE, Origin.ASSISTANT, Kind.SEAM, Place.VALUE, "", text, (len(before),))


def _position(channel: str) -> tuple[int, ...]:
    """Return the numbers among a channel's steps: which block, item or part of its text it is."""
    return tuple(int(step) for step in channel.split("/") if _NUMBER.fullmatch(step))


def _channel(name: str) -> str:
    return f"channel {name}"


def _strand(name: str) -> str:
    return f"strand {name}"
