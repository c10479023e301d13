"""Hold-back over streamed text: what may be released, what must wait for more."""

from __future__ import annotations

from collections.abc import Sequence

from detectors.types import Span

REACH = 256  # characters that stay behind while more may come
LONGEST_UNBROKEN = 64 * 1024  # characters of one unbroken token that are held at most
LONGEST_WHOLE = 256 * 1024  # characters held until the channel ends (the arguments of one tool call)

# What tokens and whole web addresses are made of.
_UNBROKEN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-.:?&%#~@$"


class Window:
    """The unreleased end of one channel's text, with the last released characters in front as context.

    `text` is what is to be inspected; spans of findings are in it, and `base` is where it begins in the channel.
    `whole` holds everything until `final`.
    """

    def __init__(self, *, whole: bool = False, reach: int = REACH) -> None:
        self.text, self.base, self.whole = "", 0, whole
        self._held_from = 0
        self._reach = self._look_at = reach

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
        if text.strip(_UNBROKEN):  # a token ended
            self._look_at = self._reach

    def release(self, replacements: Sequence[tuple[Span, str]], *, final: bool) -> str:
        """Return the text that no pattern can still grow into, with what lies in it replaced.

        The last `reach` characters stay behind until more text or `final`, and so does a token that reaches into
        them, so that a secret split over chunks is seen whole.
        """
        end = self._end(final=final)
        # From the last to the first: what moves the end may move it into an earlier one.
        for span, _ in sorted(replacements, reverse=True):
            if span.start < end < span.end:
                end = max(span.start, self._held_from)
        released = self.text[self._held_from : end]
        for span, replacement in sorted(replacements, reverse=True):
            if self._held_from < span.end <= end:
                start = max(span.start, self._held_from) - self._held_from
                released = released[:start] + replacement + released[span.end - self._held_from :]
        # A token that goes on and on is looked at again once it has grown by a quarter: linear work in all.
        self._look_at = self._reach if end > self._held_from else max(self._reach, self.held * 5 // 4)
        context = self._context(end)
        self.text = self.text[context:]
        self.base += context
        self._held_from = end - context
        return released

    def _context(self, end: int) -> int:
        """Return where the context of what follows begins: not within a token, whose rest would read as a whole one."""
        start = max(0, end - self._reach)
        if start and self.text[start - 1] in _UNBROKEN:
            start = end - len(self.text[start:end].lstrip(_UNBROKEN))
        return start

    def _end(self, *, final: bool) -> int:
        if final:
            return len(self.text)
        if self.whole:
            return self._held_from
        end = max(self._held_from, len(self.text) - self._reach)
        return self._held_from + len(self.text[self._held_from : end].rstrip(_UNBROKEN))
