"""What tells a secret from a word, a sample or a place to put one: checksums of tokens, entropy, fillers."""

from __future__ import annotations

import base64
import binascii
import math
import re
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

Check = Callable[[str], bool]

_BASE62: Final = {c: i for i, c in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")}
# What stands where a secret is meant to go. None of it is likely in forty random characters: below one in 100,000.
_FILLER: Final = re.compile(
    r"(?i)example|placeholder|your[_-]|changeme|change_me|redacted|replace[_-]?(?:me|with)|insert[_-]|dummy"
    r"|xxxx|\*{3}|0{6}|\.\.\.|(.)\1{5}"
)
_CODE: Final = re.compile(r"(?i)\.(?:env|get|read|config|password|secret|value)\b|::|->")
_COMMON: Final = frozenset(
    {"undefined", "required", "optional", "string", "password", "passwd", "secret", "mypassword", "yourpassword"}
)


def entropy(text: str) -> float:
    """Return the Shannon entropy in bits a character."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


def random(found: str) -> bool:
    """Letters and digits as a generator makes them: at least 3 bits a character, and no filler."""
    return entropy(found) >= 3.0 and not _FILLER.search(found)


def generated(found: str) -> bool:
    """The same, of a form that names in code have, too: with two digits, or one and capitals, as names seldom are."""
    digits = sum(c.isdigit() for c in found)
    return (digits >= 2 or (digits == 1 and not found.islower())) and random(found)


def password(found: str) -> bool:
    """What somebody may have chosen: six characters, four of them different, no filler and no piece of code."""
    if len(found) < 6 or len(set(found)) < 4 or found.lower() in _COMMON:
        return False
    return not _FILLER.search(found) and not _CODE.search(found)


def _checksum_holds(payload: str, checksum: str) -> bool:
    """CRC-32 of the payload in base 62, digits first, then capitals: what GitHub and npm end their tokens in.

    https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
    """
    stated = 0
    for character in checksum:
        stated = stated * 62 + _BASE62[character]
    return zlib.crc32(payload.encode()) == stated


def github_token(found: str) -> bool:
    """Classic tokens (forty characters) have a checksum; fine-grained and stateless ones are longer and have none."""
    body = found[4:]
    if len(body) == 36 and body.isalnum():
        return _checksum_holds(body[:30], body[30:])
    return random(found)


def npm_token(found: str) -> bool:
    return _checksum_holds(found[4:34], found[34:])


def discord_token(found: str) -> bool:
    """The first part is the id of the bot, a number of 17 to 20 digits, in base64."""
    identity = _decoded(found.partition(".")[0])
    return identity.isdigit() and 17 <= len(identity) <= 20


def basic_login(found: str) -> bool:
    """Base64 of a user, a colon and a password."""
    user, colon, secret = _decoded(found).partition(":")
    return bool(user and colon and len(secret) >= 4 and (user + secret).isprintable())


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_").decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


SECRETS: Final[Mapping[str, Check]] = {
    "basic_login": basic_login,
    "discord_token": discord_token,
    "generated": generated,
    "github_token": github_token,
    "npm_token": npm_token,
    "password": password,
    "random": random,
}
