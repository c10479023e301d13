"""Whether the end of a text stands inside an address: what is written there leaves as soon as somebody looks at it."""

from __future__ import annotations

import re
from typing import Final

# An address goes on over every character that is no white space to HTML and markdown: one program or another takes
# quotes, angle brackets and no-break spaces for a part of it.
_SPACE: Final = " \t\r\n"
# What makes an unbroken run an address for some program that shows it: two slashes of either kind (a scheme, a share, a
# host), a scheme that loads or sends, www, an entity that may spell any of these, or a host that goes on with a path, a
# query or a port.
# Letters are spelled out: to ignore case in a range of sixty thousand characters takes `re` a thirtieth of a second.
_ADDRESS: Final = re.compile(
    r"[/\\]{2}|[wW]{3}\.|&#?[A-Za-z0-9]{1,31};"
    r"|(?<![A-Za-z])(?i:https?|wss?|ftp|file|data|javascript|vbscript|mailto|sms|tel|intent|whatsapp|tg|skype):"
    r"|[A-Za-z0-9\u0080-\uffff-]\.[A-Za-z\u0080-\uffff][A-Za-z0-9\u0080-\uffff-]{1,24}(?::[0-9]{1,5})?[/\\?#]"
    r"|[0-9]\.[0-9]{1,3}\.[0-9]{1,3}(?::[0-9]{1,5})?[/\\?#]",
)
_REACH: Final = 36  # characters that `_ADDRESS` can match
_KEPT: Final = 48  # so many, that what it looks back at is there too
_MARKS: Final = re.compile(r"(?<=<)[^\s=\[<0-9-]|[<>()\"'\n]")


class Surroundings:
    """Follows one text, in pieces of any size, as it is shown.

    An address ends with its run, the target of a markdown link with its bracket, a tag at its own end, and both with
    an empty line. A quoted attribute ends with its quote: a tag may hold quotes and brackets in so many ways that any
    `="` behind the beginning of one counts. Where in doubt, it is an address.
    """

    def __init__(self) -> None:
        self._run = ""  # the end of the unbroken run, empty behind white space
        self._solid = ""  # the last character that is no white space
        self._line = "x"  # what tells a line that is empty so far: nothing in it but white space
        self._in_address = False
        self._in_tag = False
        self._tags = False  # whether one was begun at all
        self._quotes = ""  # those that an attribute was begun with
        self._brackets = 0  # that are open since the target of a link began

    @property
    def is_address(self) -> bool:
        return self._in_address or self.is_markup

    @property
    def is_markup(self) -> bool:
        """Tell the inside of a tag or of a link's target, which the end of a run does not end."""
        return self._in_tag or self._quotes != "" or self._brackets > 0

    def feed(self, text: str) -> None:
        """Go on by what is shown next."""
        self._follow_markup(text)
        run_starts = max(map(text.rfind, _SPACE)) + 1
        if run_starts:
            self._run, self._in_address = "", False
        seen = self._run + text[run_starts:]
        if not self._in_address:
            self._in_address = _ADDRESS.search(seen, max(0, len(self._run) - _REACH)) is not None
        self._run = seen[-_KEPT:]
        self._solid = text.rstrip(_SPACE)[-1:] or self._solid

    def _follow_markup(self, text: str) -> None:
        seen, line_starts = self._run + text, len(self._run)
        for mark in _MARKS.finditer(seen, line_starts):
            sign, place = mark.group(), mark.start()
            if sign == "\n":
                if not (self._line + seen[line_starts:place]).strip(_SPACE):
                    self._in_tag, self._brackets = False, 0
                self._line, line_starts = "", place + 1
            elif sign in {'"', "'"}:
                if self._tags:
                    self._quote(sign, _solid_before(seen, place) or self._solid)
            elif sign in {"(", ")"}:
                self._bracket(sign, seen[max(0, place - 3) : place])
            elif sign == "<":  # the target of a link may go on in angle brackets, with anything in it
                self._in_tag = self._in_tag or self._brackets > 0
            elif sign == ">":
                self._in_tag = False
            else:
                self._in_tag = self._tags = True
        self._line = (self._line + seen[line_starts:]).strip(_SPACE)[:1]

    def _quote(self, quote: str, before: str) -> None:
        others = self._quotes.replace(quote, "")
        self._quotes = others + quote if before == "=" else others

    def _bracket(self, sign: str, before: str) -> None:
        if sign == "(":
            self._brackets += bool(self._brackets or before.endswith("]") or before.lower() == "url")
        elif self._brackets and not self._in_tag and not before.endswith("\\"):
            self._brackets -= 1


def _solid_before(text: str, place: int) -> str:
    """Return the last character before a place that is no white space, empty if there is none."""
    place -= 1
    while place >= 0 and text[place] in _SPACE:
        place -= 1
    return text[place] if place >= 0 else ""
