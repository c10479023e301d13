"""Hold-back over streamed text: what may be released, what must wait for more."""

from __future__ import annotations

from collections.abc import Sequence

from detectors.types import Span

REACH = 256  # characters that stay behind while more may come
LONGEST_TOKEN = 64 * 1024  # characters of one unbroken token that are held at most

_TOKEN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-.:")


class Window:
    """The unreleased end of one channel's text, with the last released characters in front as context.

    `text` is what is to be inspected; spans of findings are in it, and `base` is where it begins in the channel.
    `whole` holds everything until `final`.
    """

    def __init__(self, *, whole: bool = False, reach: int = REACH) -> None:
        self.text, self.base, self.whole = "", 0, whole
        self._held_from = 0
        self._reach = reach

    @property
    def held(self) -> int:
        return len(self.text) - self._held_from

    @property
    def overgrown(self) -> bool:
        """Tell whether more is held than ever may be: nobody can say any longer what it will become."""
        return self.held > LONGEST_TOKEN

    def push(self, text: str) -> None:
        self.text += text

    def release(self, replacements: Sequence[tuple[Span, str]], *, final: bool) -> str:
        """Return the text that no pattern can still grow into, with what lies in it replaced.

        The last `reach` characters stay behind until more text or `final`, and so does a token that reaches into
        them, so that a secret split over chunks is seen whole.
        """
        end = self._end(final=final)
        for span, _ in replacements:
            if span.start < end < span.end:
                end = max(span.start, self._held_from)
        released = self.text[self._held_from : end]
        for span, replacement in sorted(replacements, reverse=True):
            if self._held_from < span.end <= end:
                start = max(span.start, self._held_from) - self._held_from
                released = released[:start] + replacement + released[span.end - self._held_from :]
        context = max(0, end - self._reach)
        self.text = self.text[context:]
        self.base += context
        self._held_from = end - context
        return released

    def _end(self, *, final: bool) -> int:
        if final:
            return len(self.text)
        if self.whole:
            return self._held_from
        end = max(self._held_from, len(self.text) - self._reach)
        while end > self._held_from and self.text[end - 1] in _TOKEN:
            end -= 1
        return end
