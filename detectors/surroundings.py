"""What stands around a match and says that it is none: checks that see more of the text than what was found."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from detectors.types import Span

Surrounding = Callable[[str, Span], bool]

_REACH: Final = 256  # characters in front of a match in which the address would begin that it is a part of
# Between "://" and a match: a beginning of a user's name, or a name and the beginning of a password. A list of
# addresses and a query are neither: "https://a.example,jane@b.example", "https://a.example:8443?to=jane@b.example".
_IN_USER_PART: Final = re.compile(
    r"[^\s/:?#\"'<>{}()\[\],;|]*"
    r"|[^\s/:?#\"'<>{}()\[\],;|]*:(?!\d+[?#,;|)\]])[^\s/\"'<>{}]*"
)
_REST: Final = re.compile(r"[^\s/\"'<>]*")
_FOR_MAIL: Final = ("mailto", "sip", "sips", "xmpp")


def outside_user_part(text: str, span: Span) -> bool:
    """No "name@host" whose at-sign ends the user part of a web address: what stands there is a password or a login."""
    begin = text.rfind("://", max(0, span.start - _REACH), span.start)
    if begin < 0 or _IN_USER_PART.fullmatch(text, begin + 3, span.start) is None:
        return True
    if text[max(0, begin - 6) : begin].lower().endswith(_FOR_MAIL):
        return True
    rest = _REST.match(text, span.end)
    return rest is not None and "@" in rest[0]  # who logs in may be named by an address


def of_a_secret_user(text: str, span: Span) -> bool:
    """The key of an address that crash reports go to is public."""
    return "sentry" not in text[span.end : span.end + 64].partition("/")[0]


SURROUNDINGS: Final[Mapping[str, Surrounding]] = {
    "address_token": of_a_secret_user,
    "mailbox": outside_user_part,
}
