"""Hold-back over streamed text: what may be released, what must wait for more."""

from __future__ import annotations

from collections.abc import Sequence

from detectors.types import Span

WORDS = 128  # characters in which a dozen words stand
REACH = 256  # characters that stay behind while nobody knows better
LONGEST_UNBROKEN = 64 * 1024  # characters that are held at most: of one unbroken token, or of one secret
LONGEST_WHOLE = 256 * 1024  # characters held until the channel ends (the arguments of one tool call)

# What tokens and whole web addresses are made of: nothing of one is released before its end.
_UNBROKEN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-.:?&%#~@$"


class Window:
    """The unreleased end of one channel's text, with the last released characters in front as context.

    `text` is what is to be inspected; spans of findings are in it, and `base` is where it begins in the channel.
    `whole` holds everything until `final`. Usually one glance at what is `newest` says what of it is settled; where it
    cannot, and of all text at least every `reach` characters, all of `text` is judged.
    """

    def __init__(self, *, whole: bool = False, reach: int = REACH) -> None:
        self.text, self.base, self.whole = "", 0, whole
        self._held_from = 0
        self._unjudged = 0
        self._open = False  # a finding goes on to where the text ends, or did when it was looked at
        self._found = False  # what is held is found already, perhaps by words that were let go
        self._reach = reach
        self._look_at = self._soon = 0  # how much must be held for another look, now and when a token has ended

    @property
    def held(self) -> int:
        return len(self.text) - self._held_from

    @property
    def held_text(self) -> str:
        return self.text[self._held_from :]

    @property
    def newest(self) -> str:
        """What is held, behind the one character that tells whether a word begins there."""
        return self.text[self._newest_from :]

    @property
    def before(self) -> str:
        """The last words in front of `newest`."""
        return self.text[max(0, self._newest_from - WORDS) : self._newest_from]

    @property
    def to_be_judged(self) -> bool:
        """Tell whether so much came since all was judged that a finding could begin to slip out of `text`, or what is
        held is one whose name was let go: alone it is a number like any other.
        """
        return self._found or self._unjudged >= self._reach

    @property
    def overgrown(self) -> bool:
        """Tell whether more is held than ever may be: nobody can say any longer what it will become."""
        return self.held > (LONGEST_WHOLE if self.whole else LONGEST_UNBROKEN)

    @property
    def due(self) -> bool:
        """Tell whether enough has come since the last `release` that another look may release something."""
        return self.held > self._look_at and not self.whole

    def push(self, text: str) -> None:
        self.text += text
        self._unjudged += len(text)
        if not self._open and text.strip(_UNBROKEN):  # a token ended
            self._look_at = min(self._look_at, self._soon)

    def let_go(self, settled: int) -> str:
        """Return what of `newest` is settled, after a glance at it, with nothing in it."""
        return self._release((), self._newest_from + settled)

    def release(
        self, replacements: Sequence[tuple[Span, str]], *, final: bool = False, settled: int | None = None
    ) -> str:
        """Return the text that no finding can still grow into, with what lies in it replaced, after all was judged.

        What a glance has not `settled` stays behind until more text or `final`: the last `reach` characters where it
        could not say, and a token that reaches into them, so that a secret split over chunks is seen whole.
        """
        self._unjudged = 0
        if final:
            return self._release(replacements, len(self.text))
        if settled is None:
            return self._release(replacements, max(self._held_from, len(self.text) - self._reach), self._reach * 5 // 4)
        return self._release(replacements, self._newest_from + settled)

    def _release(self, replacements: Sequence[tuple[Span, str]], end: int, least: int = 0) -> str:
        end = max(end, self._held_from)  # what may be beginning in front of what is held has left
        if end < len(self.text) and self.text[end] in _UNBROKEN:
            end = self._held_from + len(self.text[self._held_from : end].rstrip(_UNBROKEN))
        self._open = False
        # From the last to the first: what moves the end may move it into an earlier one.
        for span, _ in sorted(replacements, reverse=True):
            if span.start < end < span.end:
                end, self._open = max(span.start, self._held_from), True
        self._found = any(span.end > end for span, _ in replacements)
        released = self.text[self._held_from : end]
        for span, replacement in sorted(replacements, reverse=True):
            if self._held_from < span.end <= end:
                start = max(span.start, self._held_from) - self._held_from
                released = released[:start] + replacement + released[span.end - self._held_from :]
        # What goes on and on is looked at again once it has grown by a quarter, or where words end in it, and it is
        # long, by a sixteenth: linear work in all.
        goes_on, left = self._open or end == self._held_from, len(self.text) - end
        self._soon = max(least, left * 17 // 16) if goes_on and left > self._reach else least
        self._look_at = max(least, left * 5 // 4) if goes_on else least
        self._forget(end, [span for span, _ in replacements])
        return released

    def _forget(self, end: int, found: Sequence[Span]) -> None:
        """Keep of what was released what is context of the rest: neither a part of a token, whose rest would read as a
        whole one, nor of a finding.
        """
        start = max(0, end - 2 * self._reach)  # what is judged twice is seen whole once
        if start and self.text[start - 1] in _UNBROKEN:
            start = end - len(self.text[start:end].lstrip(_UNBROKEN))
        start = max([start, *(min(s.end, end) for s in found if s.start < start < s.end)])
        self.text = self.text[start:]
        self.base += start
        self._held_from = end - start

    @property
    def _newest_from(self) -> int:
        return max(0, self._held_from - 1)
