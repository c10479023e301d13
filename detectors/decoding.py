"""What a decoder is: a cheap gate that most text does not pass, and a function from text to decoded runs."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain
from operator import sub

from detectors.stepwise import matches, replaced
from detectors.types import Offsets, Span

REACH = 160  # characters that belong to a sentence around a mark inside of it
SHORTEST = 6  # decoded runs below this many characters say nothing
_CONTROLS, _LATER_CONTROL = bytes({*range(0x20), 0x7F} - {*b"\t\n\r"}), re.compile(r"[\x80-\x9F]")
# What reads as text inside of bytes that do not as a whole: ASCII, or ASCII in UTF-16.
LEAST = 12
_STRETCH = re.compile(rb"(?:[\t\n\r\x20-\x7E]\0?){%d,}+" % LEAST)


@dataclass(frozen=True, slots=True)
class Run:
    """One encoded stretch and what it says. `within` maps a span of `text` into the stretch; None maps to all of it.

    `cut`: a bound was reached, so the stretch says more than this.
    """

    span: Span
    text: str
    within: Offsets | None = None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Decoder:
    """Where `gate` (an RE2 pattern) does not occur, `decode` is not called. `decode` is linear and raises nothing.

    A decoder that `rewrites` gives back the text with its escapes read; such decoders are one step together, around
    their `marks` (of one that has none, from end to end). `raw`: it reads what cleaning takes away. `once`: what it
    gives back holds nothing more for it. `answers`: it reads what models say, too, of which a stream holds little back.
    """

    name: str
    gate: str
    decode: Callable[[str], Iterator[Run]]
    rewrites: bool = False
    marks: re.Pattern[str] | None = None
    raw: bool = False
    once: bool = False
    answers: bool = True


class Aligned:
    """Character i of a run's text is character i of the run."""

    def to_source(self, span: Span) -> Span:
        return span


@dataclass(frozen=True, slots=True)
class Mirrored:
    """Character i of a run's text is character i from the end of the run."""

    length: int

    def to_source(self, span: Span) -> Span:
        return Span(self.length - span.end, self.length - span.start)


class Pieces:
    """Character i of a run's text was made of piece i of the run; they are told only if something was found.

    A piece is where it starts and where it ends: a `Span` for each character would cost three times as much.
    """

    def __init__(self, pieces: Callable[[], Sequence[tuple[int, int]]]) -> None:
        self._tell = pieces

    @cached_property
    def _pieces(self) -> Sequence[tuple[int, int]]:
        return self._tell()

    def to_source(self, span: Span) -> Span:
        (start, end), (other_start, other_end) = self._pieces[span.start], self._pieces[span.end - 1]
        return Span(min(start, other_start), max(end, other_end))


class RunOffsets:
    """Maps a span of decoded runs, joined by `gap` characters, to the text they were found in, then through `below`."""

    def __init__(self, runs: Sequence[Run], below: Offsets | None, gap: int) -> None:
        self._runs, self._below, self._gap = runs, below, gap

    @cached_property
    def _made(self) -> list[int]:
        """Where each run begins in the joined text."""
        made, position = [], 0
        for run in self._runs:
            made.append(position)
            position += len(run.text) + self._gap
        return made

    def to_source(self, span: Span) -> Span:
        first, last = self._run_at(span.start), self._run_at(max(span.start, span.end - 1))
        inner = self._part(first, span)
        if last != first:
            inner = inner.union(self._part(last, span))
        return inner if self._below is None else self._below.to_source(inner)

    def _part(self, index: int, span: Span) -> Span:
        """Return what of the source run `index` contributes to `span`."""
        run, made = self._runs[index], self._made[index]
        within, begin = run.within, run.span.start
        if within is None:
            return run.span
        # The gap behind a run counts as its last character: nothing maps to no character at all.
        start = min(max(span.start - made, 0), len(run.text) - 1)
        end = max(start + 1, min(span.end - made, len(run.text)))
        if isinstance(within, Aligned):
            return Span(begin + start, begin + end)
        inner = within.to_source(Span(start, end))
        return inner.shift(begin) if begin else inner

    def _run_at(self, position: int) -> int:
        made = self._made
        return bisect_right(made, position) - 1 if len(made) > 1 else 0


Say = str | Callable[[re.Match[str]], str]


class Rewritten:
    """Character i of a run's text is a character of the run, or was made of a match of `pattern` in it."""

    def __init__(self, text: str, pattern: re.Pattern[str], say: Say) -> None:
        self._text, self._pattern, self._say = text, pattern, say

    @cached_property
    def _edges(self) -> tuple[Sequence[int], Sequence[int]]:
        """Where pieces begin in what was made and in the run: in turn one that is kept and one that is replaced."""
        say = self._say
        if isinstance(say, str):
            spans = [match.span() for match in self._pattern.finditer(self._text)]
            said = [len(say)] * len(spans)
        else:
            found = list(self._pattern.finditer(self._text))
            spans, said = [match.span() for match in found], [len(say(match)) for match in found]
        source = [0, *chain.from_iterable(spans)]
        steps = list(map(sub, source[1:], source))
        steps[1::2] = said
        return [0, *accumulate(steps)], source

    def to_source(self, span: Span) -> Span:
        made, source = self._edges
        first, last = bisect_right(made, span.start) - 1, bisect_right(made, span.end - 1) - 1
        start = source[first] if first % 2 else source[first] + span.start - made[first]
        return Span(start, source[last + 1] if last % 2 else source[last] + span.end - made[last])


def rewritten(text: str, pattern: re.Pattern[str], say: Say) -> Run:
    """Return the whole text with every match of `pattern` replaced by `say` or by what that makes of it."""
    return Run(Span(0, len(text)), replaced(pattern, say, text), Rewritten(text, pattern, say))


def stretches(text: str, *marks: re.Pattern[str]) -> Sequence[Span]:
    """Return the parts of `text` around its marks, each with what a sentence reaches on both sides of one."""
    places = (mark.span() for pattern in marks for mark in matches(pattern, text))
    return around(text, places if len(marks) == 1 else sorted(places))


def around(text: str, places: Iterable[tuple[int, int]]) -> Sequence[Span]:
    """Return the parts of `text` around places in order, those that meet made one."""
    parts: list[Span] = []
    start, end = 0, -2 * REACH
    for first, last in places:
        if first - REACH > end:
            if end > 0:
                parts.append(Span(start, end))
            start = first - REACH if first > REACH else 0
            end = last + REACH
        elif last + REACH > end:
            end = last + REACH
    if end > 0:
        parts.append(Span(start, min(end, len(text))))
    return parts


def readable(raw: bytes) -> str | None:
    """Return `raw` as text if it is text: UTF-8 or UTF-16, most of it no control characters; else None."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        # Half of the characters must be ASCII, others take four bytes at most.
        if encoding != "utf-8" and 8 * raw.count(0) < len(raw):
            return None
        try:
            text = raw.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError:
            continue
        # Almost any bytes are some UTF-16, of scripts that nobody mixes.
        sense = raw if encoding == "utf-8" else text.encode("ascii", "ignore")
        unsaid = len(sense) - len(sense.translate(None, _CONTROLS))
        sensible = len(sense) - unsaid if encoding != "utf-8" else len(_LATER_CONTROL.sub("", text)) - unsaid
        if len(text) >= SHORTEST and 2 * sensible > len(text):
            return text
    return None


def readable_stretches(raw: bytes) -> Iterator[tuple[Span, str]]:
    """Yield what reads as text inside of `raw`, at least `LEAST` characters each, and which bytes it is."""
    for match in _STRETCH.finditer(raw):
        yield Span(*match.span()), match.group().replace(b"\0", b"").decode("ascii")
