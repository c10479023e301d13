"""Text of strangers, so that a reader sees what is in it: no character turns lines around, hides or ends a line."""

from __future__ import annotations

import re
from typing import Any, Final

from markupsafe import Markup, escape

# C0 without tab and line feed, DEL, C1, soft hyphen, marks of direction, zero-width, separators, variation selectors,
# the byte order mark, interlinear marks, tag characters, lone surrogates.
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef]"
)
_LEFT: Final = "\u2039"
_RIGHT: Final = "\u203a"
_PICTURES: Final = 0x2400  # U+2400 is the picture of U+0000, and so on


def visible(value: Any) -> Any:
    """Return text with a name in place of each character that nobody sees; markup of ours stays as it is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return "" if value is None else value
    return _HIDDEN.sub(_named, value.replace("\r\n", "\n")) if not value.isascii() or not value.isprintable() else value


def exact(text: str) -> Markup:
    """Return text for a field that is sent back as it is: what hides in it stands in the page as a reference."""
    return Markup(_HIDDEN.sub(_referred, str(escape(text))))  # noqa: S704 - escaped here


def hidden_characters(text: str) -> tuple[tuple[int, str], ...]:
    """Return (line, name) of what hides in a text that is shown as it is, such as a policy in its editor."""
    return tuple(
        (number, f"U+{ord(character):04X}")
        for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1)
        for character in sorted(set(_HIDDEN.findall(line)))
    )


def _named(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code < 0x20:
        return chr(_PICTURES + code)
    return "\u2421" if code == 0x7F else f"{_LEFT}U+{code:04X}{_RIGHT}"


def _referred(found: re.Match[str]) -> str:
    code = ord(found.group())
    # HTML reads references to NUL, to C1 and to surrogates as other characters.
    return (
        found.group()
        if 0x80 <= code < 0xA0
        else _named(found)
        if code == 0 or 0xD800 <= code < 0xE000
        else f"&#{code};"
    )
