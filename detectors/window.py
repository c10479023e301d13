"""Hold-back over streamed text: what may be released, what must wait for more."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from detectors.types import Span

REACH = 256  # characters that stay behind while more may come
LONGEST_UNBROKEN = 64 * 1024  # characters of one unbroken token that are held at most
LONGEST_OPENING = 4096  # characters after an opening in which what it opens must show itself
LONGEST_WHOLE = 256 * 1024  # characters held until the channel ends (the arguments of one tool call)

# What tokens are made of. A secret of these characters only may be as long as it likes; one with others in it may
# reach REACH characters far, or says how it opens (`longest_found` in reach.py).
UNBROKEN = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-.:%@'!#&*?^|~\\"
    + "".join(map(chr, range(0xC0, 0x250)))  # Latin letters with marks
)


Openings = Callable[[str], Sequence[int]]


def nothing_opens(_text: str) -> Sequence[int]:
    """Say that no beginning in a text has to be waited for."""
    return ()


class Window:
    """The unreleased end of one channel's text, with the last released characters in front as context.

    `text` is what is to be inspected; spans of findings are in it, and `base` is where it begins in the channel.
    `whole` holds everything until `final`. `openings` tells where in a text something begins that may reach further
    than REACH.
    """

    def __init__(self, *, whole: bool = False, reach: int = REACH, openings: Openings = nothing_opens) -> None:
        self.text, self.base, self.whole = "", 0, whole
        self._held_from = 0
        self._open = False  # a finding goes on to where the text ends, or did when it was looked at
        self._reach = self._look_at = reach
        self._openings = openings

    @property
    def held(self) -> int:
        return len(self.text) - self._held_from

    @property
    def overgrown(self) -> bool:
        """Tell whether more is held than ever may be: nobody can say any longer what it will become."""
        return self.held > (LONGEST_WHOLE if self.whole else LONGEST_UNBROKEN)

    @property
    def due(self) -> bool:
        """Tell whether enough has come since the last `release` that another look may release something."""
        return self.held > self._look_at

    def push(self, text: str) -> None:
        self.text += text
        if not self._open and text.strip(UNBROKEN):  # a token ended
            self._look_at = self._reach

    def release(self, replacements: Sequence[tuple[Span, str]], *, final: bool) -> str:
        """Return the text that no pattern can still grow into, with what lies in it replaced.

        The last `reach` characters stay behind until more text or `final`, and so does a token that reaches into
        them, so that a secret split over chunks is seen whole.
        """
        end, self._open = self._end(final=final), False
        # From the last to the first: what moves the end may move it into an earlier one.
        for span, _ in sorted(replacements, reverse=True):
            if span.start < end < span.end:
                end, self._open = max(span.start, self._held_from), True
        if not final:
            end = self._before_openings(end, [span for span, _ in replacements])
        released = self.text[self._held_from : end]
        for span, replacement in sorted(replacements, reverse=True):
            if self._held_from < span.end <= end:
                start = max(span.start, self._held_from) - self._held_from
                released = released[:start] + replacement + released[span.end - self._held_from :]
        # What goes on and on is looked at again once it has grown by a quarter: linear work in all.
        goes_on = self._open or end == self._held_from
        self._look_at = max(self._reach, (len(self.text) - end) * 5 // 4) if goes_on else self._reach
        context = self._context(end, [span for span, _ in replacements])
        self.text = self.text[context:]
        self.base += context
        self._held_from = end - context
        return released

    def _before_openings(self, end: int, found: Sequence[Span]) -> int:
        """Return `end`, or where the first thing begins that may still become a finding."""
        for start in self._openings(self.text):
            fresh = len(self.text) - start <= LONGEST_OPENING
            if fresh and self._held_from <= start < end and not any(s.start <= start < s.end for s in found):
                end, self._open = start, True
        return end

    def _context(self, end: int, found: Sequence[Span]) -> int:
        """Return where the context of what follows begins: not within a token, whose rest would read as a whole one,
        nor within a finding.
        """
        start = max(0, end - self._reach)
        if start and self.text[start - 1] in UNBROKEN:
            start = end - len(self.text[start:end].lstrip(UNBROKEN))
        return max([start, *(min(s.end, end) for s in found if s.start < start < s.end)])

    def _end(self, *, final: bool) -> int:
        if final:
            return len(self.text)
        if self.whole:
            return self._held_from
        end = max(self._held_from, len(self.text) - self._reach)
        return self._held_from + len(self.text[self._held_from : end].rstrip(UNBROKEN))
