"""The kinds of values that calls of the control plane carry, each within its bounds."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

MOST: Final = 200  # items of one page
# Letters, marks and signs that nobody sees: joiners, fillers, the empty pattern of Braille, choosers of variants.
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | frozenset(
    chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
)
_LOOKS_AWAY: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # what turns lines around, ends them or hides


class Sent(BaseModel):
    """What a call brings: unknown names are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Shown(BaseModel):
    """What a call is answered with."""

    model_config = ConfigDict(frozen=True)


def _one_line(text: str) -> str:
    if any(unicodedata.category(character) in _LOOKS_AWAY or character in _BLANK for character in text):
        raise ValueError("must be one line without control or invisible characters")
    return text


def _plain_text(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not hold the character U+0000")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    return text


def _within_reason(moment: datetime) -> datetime:
    if not _EARLIEST <= moment < _LATEST:
        raise ValueError("must lie between the years 1970 and 9998 (UTC)")
    return moment


_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)  # what is counted on from there, in any zone, still is a time
Line = Annotated[str, Field(max_length=200), AfterValidator(_one_line)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
Reason = Annotated[str, Field(min_length=3, max_length=1000), AfterValidator(_one_line)]
Document = Annotated[str, Field(max_length=262_144), AfterValidator(_plain_text)]
LongText = Annotated[str, Field(max_length=1_000_000), AfterValidator(_plain_text)]
Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,38}$")]
AppName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
DecisionId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Moment = AwareDatetime
SentMoment = Annotated[AwareDatetime, AfterValidator(_within_reason)]
Cursor = Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9_=.:-]*$")]
BIGGEST: Final = 2**63 - 1  # of the database's ids


class Page(Sent):
    """Which part of a list: at most `limit` items, from where `after`, an earlier answer's `next`, stopped."""

    limit: Annotated[int, Field(ge=1, le=MOST)] = 50
    after: Cursor | None = None


class Done(Shown):
    """That it is done."""

    done: bool = True


def read_id(text: str) -> int | None:
    """Return an id of the database's, None for what can be none."""
    if len(text) > len(str(BIGGEST)) or not (text.isascii() and text.isdigit()):
        return None
    number = int(text)
    return number if number <= BIGGEST else None


def escape_invisible(serialised: bytes) -> bytes:
    """Return JSON that says the same without a character in it that a terminal obeys or that a reader cannot see."""
    text = serialised.decode()
    return _INVISIBLE.sub(lambda found: "".join(_escaped(c) for c in found.group()), text).encode()


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


# DEL and C1, the soft hyphen, marks of direction, zero-width and line separators, tag characters, the byte order mark.
_INVISIBLE: Final = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]+"
)
