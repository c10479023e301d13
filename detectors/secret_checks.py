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
_FILLERS: Final = (
    "example", "placeholder", "your-", "your_", "yourk", "changeme", "change_me", "change-me", "redacted", "replaceme",
    "replace-me", "replace_me", "replacewith", "replace-with", "replace_with", "insert-", "insert_",
    "dummy", "xxxx", "***", "...", "000000",
)  # fmt: skip
_ROW: Final = re.compile(r"(.)\1{5}")
_LOGS: Final = [0.0, *(n * math.log2(n) for n in range(1, 256))]  # the check is asked hundreds of times of some texts
_CODE: Final = re.compile(r"(?i)\.(?:env|get|read|config|password|secret|value)\b|::|->")
# What stands behind "password = " and "the password is" and is none: where a file lies, a field of an object, the name
# of an algorithm, a length or a time, a version.
_FILE: Final = re.compile(r"(?:~|\.{1,2})?/[a-z0-9_.-]+/")
_FIELD: Final = re.compile(
    r"(?i)(?:[a-z_]\w*\.)*(?:self|this|args|body|cfg|cls|ctx|data|event|fields?|form|input|item|model|obj|opts|params|props"
    r"|payload|req|request|res|response|result|row|settings|state|user)\d?\.[a-z_][\w.]*"
    r"|(?:[a-z_]\w*\.)+(?:api_?key|pass|passwd|password|pwd|secret|text|token|value)_?\w{0,2}"
)
_FACT: Final = re.compile(
    r"(?i)(?:sha-?\d|md5|base-?(?:16|32|58|62|64)|aes-?\d|wpa-?\d|oauth-?\d|utf-?\d|argon2|pbkdf2|nist-|fips-)[\w.]{0,4}"
    r"(?:[-_]?[a-z]*)(?:-[\w.]{1,20})*"
    r"|\d{1,4}[-+]?(?:char|character|bit|byte|digit|letter|word|min|minute|hour|day|week|month|year)s?(?:-\w+)*"
    r"|v?\d+(?:\.\d+){1,3}(?:[-+][a-z]+[.\d]*)?"
    r"|n?varchar\d?|u?int(?:eger)?\d{1,2}|float\d{2}|utf8mb\d|iso[-_]?\d{3,5}\w?"
)
# A shortcut of the keyboard, and what the plan of an infrastructure reads from elsewhere.
_SHORTCUT: Final = re.compile(r"(?i)(?:alt|ctrl|control|strg|cmd|command|shift|option|meta|win)\+[\w+]{1,24}\W?")
_PLANNED: Final = re.compile(r"(?:var|local|module|data|random_[a-z]+)\.[a-z_]\w*(?:\.[a-z_]\w*)*")
# The examples of RFC 7519 and of jwt.io, by the signatures that end them.
_PUBLISHED: Final = (
    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    "TJVA95OrM7E2cBab30RMHrHDcEfxjoYZgeFONFh7HgQ",
    "KMUFsIDTnFmyG3nMiGM6H9FNFUROf3wh7SmqJp-QV30",
)
_KEPT: Final = re.compile(r"(?i)(?:arn|projects|secrets?|vault|keyvault|file)[:/]|[a-z+]{2,12}://")
_NUMBERED: Final = re.compile(r"[A-Za-z]?[a-z]+\d{1,4}")
_COMMON: Final = frozenset(
    {"undefined", "required", "optional", "string", "password", "passwd", "secret", "mypassword", "yourpassword"}
)
_PIECES: Final = re.compile(r"[a-z]+|[A-Z]+|\d+")
_IN_WORDS: Final = re.compile(r"[a-z]{3,}")
# In an address: a variable, something in brackets, a port with more behind it.
_STAND_IN: Final = re.compile(
    r"\A\$\w+\Z|\$\(|\$[A-Z][A-Z_]{2,}\Z|\A%\w+%\Z|\A%\(\w+\)s\Z|\A\[.*\]\Z|\A(?:\d{1,5}[:,/]|pserver:)|\A\$\w+/"
)
_NO_PASSWORDS: Final = frozenset({"x-oauth-basic", "x-access-token", "x-token-auth", "guest", "passw0rd"})
_SHORT: Final = re.compile(r"(?i)(?!pass|pw|user|test|port|host)(?:[a-z].*[^a-z]|[^a-z].*[a-z]).*")


def entropy(text: str) -> float:
    """Return the Shannon entropy in bits a character."""
    return _bits(Counter(text), len(text))


def _bits(counts: Counter[str], size: int) -> float:
    weighed = sum(_LOGS[n] if n < len(_LOGS) else n * math.log2(n) for n in counts.values())
    return math.log2(size) - weighed / size


def random(found: str) -> bool:
    """Letters and digits as a generator makes them: at least 3 bits a character, and no filler."""
    counts = Counter(found)
    return _bits(counts, len(found)) >= 3.0 and not _filler(found, counts)


def _filler(found: str, counts: Counter[str]) -> bool:
    lower = found.lower()
    return any(map(lower.__contains__, _FILLERS)) or (max(counts.values()) > 5 and _ROW.search(found) is not None)


def generated(found: str) -> bool:
    """The same, of a form that names in code have, too: with two digits, or one and capitals, as names seldom are."""
    digits = sum(c.isdigit() for c in found)
    return (digits >= 2 or (digits == 1 and not found.islower())) and random(found)


def unspoken(found: str) -> bool:
    """The same, and not words with figures, nor the place where a secret is kept: one piece of it is nobody's word."""
    pieces = re.split(r"[^A-Za-z0-9]+", found)
    return generated(found) and not _KEPT.match(found) and any(map(_is_no_word, pieces))


def _is_no_word(piece: str) -> bool:
    mixed = any(c.isdigit() for c in piece) and not piece.isdigit() and _NUMBERED.fullmatch(piece) is None
    return len(piece) >= 16 or (len(piece) >= 6 and mixed)


def password(found: str) -> bool:
    """What somebody may have chosen: six characters, four of them different, no filler and no piece of code."""
    if len(found) < 6 or len(set(found)) < 4 or found.lower() in _COMMON:
        return False
    return not _filler(found, Counter(found)) and not _CODE.search(found)


def assigned(found: str) -> bool:
    """The same behind a name and an equals sign or an "is", where code and manuals say other things, too."""
    if _FILE.match(found) or _FIELD.fullmatch(found) or _FACT.fullmatch(found.rstrip(".!?")):
        return False
    if _SHORTCUT.fullmatch(found) or _PLANNED.fullmatch(found):
        return False
    return password(found)


def chosen(found: str) -> bool:
    """The same with a letter and a digit, and no variable; blanks only in what is as long as generated phrases are."""
    if not any(map(str.isalpha, found)) or not any(map(str.isdigit, found)) or _STAND_IN.search(found):
        return False
    return assigned(found) and (len(found) >= 40 or " " not in found)


def mixed(found: str) -> bool:
    """The same in eight characters, and no word with a number: a sign in it, or digits and capitals in between."""
    if len(found) < 8 or not chosen(found):
        return False
    return any(c in "!@#$%^&*?~+" for c in found) or len(_PIECES.findall(found)) > 4


def letters(found: str) -> bool:
    """Twenty capitals and small letters in no order: fewer vowels, and small ones in a row, than names in code have."""
    size, capitals = len(found), sum(map(str.isupper, found))
    like_words = sum(map(len, _IN_WORDS.findall(found))) + sum(c in "aeiouAEIOU" for c in found)
    if size < 20 or not 0.3 * size <= capitals <= 0.75 * size or like_words > 0.7 * size:
        return False
    lower = found.lower()
    return len(set(lower)) >= 10 and "abcdef" not in lower and random(found)


def url_password(found: str) -> bool:
    """The same behind a user and a colon; four characters will do there, if they are no word."""
    if _STAND_IN.search(found) or found.lower() in _NO_PASSWORDS:
        return False
    if len(found) < 6:
        return len(set(found)) > 2 and _SHORT.fullmatch(found) is not None
    return password(found)


def address_token(found: str) -> bool:
    return found.lower() not in _NO_PASSWORDS and unspoken(found)


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


def azure_token(found: str) -> bool:
    """Only the beginning of these is random; what follows says where and when they were made, with many A in it."""
    return random(found[:52])


def npm_token(found: str) -> bool:
    return _checksum_holds(found[4:34], found[34:])


def discord_token(found: str) -> bool:
    """The first part is the id of the bot, a number of 17 to 20 digits, in base64."""
    identity = _decoded(found.partition(".")[0])
    return identity.isdigit() and 17 <= len(identity) <= 20


def jwt(found: str) -> bool:
    return not found.endswith(_PUBLISHED)


def basic_login(found: str) -> bool:
    """Base64 of a user, a colon and a password."""
    user, colon, secret = _decoded(found).partition(":")
    return bool(user and colon and len(secret) >= 4 and (user + secret).isprintable())


def base64_password(found: str) -> bool:
    """Base64 of a password, and of no place to put one."""
    said = _decoded(found).strip()
    return said.isascii() and said.isprintable() and not said.startswith(("<", "{", "$")) and password(said)


def bitlocker(found: str) -> bool:
    """Eight numbers of sixteen bits, each multiplied by eleven."""
    numbers = [int(number) for number in re.split("[ -]", found)]
    return len(set(numbers)) > 1 and all(number % 11 == 0 and number < 11 << 16 for number in numbers)


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_").decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


SECRETS: Final[Mapping[str, Check]] = {
    "address_token": address_token,
    "assigned": assigned,
    "azure_token": azure_token,
    "base64_password": base64_password,
    "basic_login": basic_login,
    "bitlocker": bitlocker,
    "chosen": chosen,
    "discord_token": discord_token,
    "generated": generated,
    "github_token": github_token,
    "jwt": jwt,
    "letters": letters,
    "mixed": mixed,
    "npm_token": npm_token,
    "password": password,
    "random": random,
    "unspoken": unspoken,
    "url_password": url_password,
}
