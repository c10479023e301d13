"""What stands around a match and says that it is none: checks that see more of the text than what was found."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from detectors.orders import ORDERS
from detectors.things import THINGS
from detectors.topics import TOPICS
from detectors.types import Span

Surrounding = Callable[[str, Span], bool]

_REACH: Final = 256  # characters in front of a match in which the address would begin that it is a part of
# Between "://" and a match: a beginning of a user's name, or a name and the beginning of a password. A list of
# addresses and a query are neither: "https://a.example,jane@b.example", "https://a.example:8443?to=jane@b.example".
_IN_USER_PART: Final = re.compile(
    r"[^\s/:?#\"'<>{}()\[\],;|]*"
    r"|[^\s/:?#\"'<>{}()\[\],;|]*:(?!\d+[?#,;|)\]])[^\s/\"'<>{}]*"
)
# Of a database or a queue even a slash may be part of the password: its clients cut at the last at-sign.
_OF_A_STORE: Final = re.compile(
    r"(?i)(?:postgres(?:ql)?|mysql|mariadb|mongodb|mssql|rediss?|valkeys?|amqps?)(?:\+\w+)?\Z"
)
_IN_STORE_PART: Final = re.compile(r"[^\s/:?#\"'<>{}()\[\],;|]*:(?!\d+[/?#,;|])[^\s@\"'<>{},;&?=]*")
_REST: Final = re.compile(r"[^\s/\"'<>]*")
_FOR_MAIL: Final = ("mailto", "sip", "sips", "xmpp")
# A vector of a scene: named a position or location, in brackets, with a third number.
_SCENE: Final = re.compile(r"(?i)(?:position|location|posizione)[\"']?[ \t]{0,3}[:=]?[ \t]{0,3}[\[(][ \t]{0,3}\Z")
_THIRD: Final = re.compile(r"[ \t]{0,2},[ \t]{0,2}[-+]?\d")
_AMOUNT: Final = re.compile(r"(?i)[ \t]?(?:[kmgt]?i?(?:bit|byte|b)s?(?:ps)?\b|/s\b)")
_VERSION: Final = re.compile(
    r"(?i)\b(?:version|ver|v8|v|release|rev|revision|build|firmware|oid|object identifier)"
    r"[\"']?(?: is| to| from| of)?[ \t]{0,2}[:=/(]?[ \t]{0,2}[\"']?\Z"
)
_OF_A_PACKAGE: Final = re.compile(r"-[\w.~+-]*\)")
_CURVES: Final = frozenset({"1.3.101.110", "1.3.101.111", "1.3.101.112", "1.3.101.113"})  # RFC 8410
_NO_PATH: Final = re.compile(r"[^-+\d.,\sA-Za-z]|[A-Za-z]{2}")
_PLAIN: Final = re.compile(r"-?\d*\.\d+")
_NEAR: Final = 40
# "pass" is what tests do, too, and what lets somebody onto a mountain or a plane.
_PASSED: Final = re.compile(r"(?i)(?<![_\w.\"'])pass:\s{1,3}\Z")
_VERDICT: Final = re.compile(
    r"\b(?:FAIL(?:ED)?|XFAIL|XPASS|SKIP(?:PED)?)\b|(?:^|\n)(?:not )?ok \d|--- PASS|\bfail(?:ed)?: "
)
_TICKET: Final = re.compile(
    r"(?i)\b(?:day|week|month|season|ski|lift|bus|train|rail|metro|city|museum|park(?:ing)?|boarding|guest|press)"
    r"[- ]pass:\s{1,3}\Z"
)
# The user and the host of an address: every tutorial starts a database as "postgres:postgres@db".
_USER: Final = re.compile(r"(?:/|[\s\"'`=(]|\A)([\w.-]+):\Z")
_NEAR_HOST: Final = re.compile(
    r"@(?:tcp\(|\()?(?:localhost|127\.[\d.]+|\[::1\]|0\.0\.0\.0|host\.docker\.internal|[A-Za-z][\w-]*)(?:[:/?)\s\"'`,;]|\Z)"
)
_NAMED_PATH: Final = re.compile(r"[\w.+-]+/[\w./+-]+|[\w+-]+\.(?:sh|exp|py|js|ts|c|go|rs|t)\b")
_AROUND: Final = 160
_NIT: Final = re.compile(r"\b[Nn]it\b[^A-Za-z]*\Z")


def outside_user_part(text: str, span: Span) -> bool:
    """No "name@host" whose at-sign ends the user part of a web address: what stands there is a password or a login."""
    begin = text.rfind("://", max(0, span.start - _REACH), span.start)
    if begin < 0:
        return True
    parts = (
        (_IN_USER_PART, _IN_STORE_PART) if _OF_A_STORE.search(text[max(0, begin - 24) : begin]) else (_IN_USER_PART,)
    )
    if not any(part.fullmatch(text, begin + 3, span.start) for part in parts):
        return True
    if text[max(0, begin - 6) : begin].lower().endswith(_FOR_MAIL):
        return True
    rest = _REST.match(text, span.end)
    return rest is not None and "@" in rest[0]  # who logs in may be named by an address


def of_a_secret_user(text: str, span: Span) -> bool:
    """The key of an address that crash reports go to is public."""
    return "sentry" not in text[span.end : span.end + 64].partition("/")[0]


def of_no_default(text: str, span: Span) -> bool:
    """A word that is the user, too, protects nothing but a service on one's own machine."""
    found, user = text[span.start : span.end], _USER.search(_before(text, span))
    if user is None or user[1].lower() != found.lower() or not found.isalpha():
        return True
    return _NEAR_HOST.match(text, span.end) is None


def on_the_ground(text: str, span: Span) -> bool:
    """No vector of three numbers that a scene has as a position."""
    return _THIRD.match(text, span.end) is None or _SCENE.search(_before(text, span)) is None


def of_no_verdict(text: str, span: Span) -> bool:
    """Pass is no password where a test passed, or where it is paid for."""
    if _PASSED.search(_before(text, span)) is None:
        return True
    if _TICKET.search(_before(text, span)) or _NAMED_PATH.match(text, span.start, span.end):
        return False
    around = text[max(0, span.start - _AROUND) : span.start] + "\n" + text[span.end : span.end + _AROUND]
    return _VERDICT.search(around) is None


def of_no_amount(text: str, span: Span) -> bool:
    """DL is a download, too: no unit of data follows."""
    return _AMOUNT.match(text, span.end) is None


def of_a_host(text: str, span: Span) -> bool:
    """No version, no object identifier, no numbers of a drawing that run together."""
    before, after = _before(text, span), text[span.end : span.end + _NEAR]
    if _VERSION.search(before) or text[span.start : span.end] in _CURVES:
        return False
    if before.endswith("(") and _OF_A_PACKAGE.match(after):
        return False
    return not _is_drawn(_NO_PATH.split(before)[-1]) and not _is_drawn(_NO_PATH.split(after)[0])


def of_a_taxpayer(text: str, span: Span) -> bool:
    """A nit is what reviewers pick, unless its number has the nine digits of a NIT."""
    return _NIT.search(_before(text, span)) is None or sum(map(str.isdigit, text[span.start : span.end])) > 8


def _before(text: str, span: Span) -> str:
    return text[max(0, span.start - _NEAR) : span.start]


def _is_drawn(beside: str) -> bool:
    """Numbers with one point or two, some run together: what an SVG path is made of, and no list of hosts or times."""
    numbers = [number for number in re.split(r"[\s,]", beside) if 0 < number.count(".") != 3]
    return len(numbers) > 2 and any(_PLAIN.fullmatch(number) is None for number in numbers)


SURROUNDINGS: Final[Mapping[str, Surrounding]] = {
    **ORDERS,
    **THINGS,
    **TOPICS,
    "address_token": of_a_secret_user,
    "assigned": of_no_verdict,
    "geo": on_the_ground,
    "licence": of_no_amount,
    "mailbox": outside_user_part,
    "public_ip": of_a_host,
    "six_digits": of_a_taxpayer,
    "url_password": of_no_default,
}
