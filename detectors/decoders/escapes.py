r"""Characters as program code writes them: `\n`, `\"`, `\u0069`, `\x69`, `\u{69}`, `\151`, and `U+0069`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from detectors.decoders._alternatives import clusters_of
from detectors.decoding import Decoder, Run, rewritten

_HEX = "[0-9A-Fa-f]"
_PAIR = r"u([dD][89abAB][0-9A-Fa-f]{2})\\+u([dD][c-fC-F][0-9A-Fa-f]{2})"
# However many times it was escaped. Looking behind keeps long rows of backslashes linear; behind the first character,
# it leaves that to be searched for.
_ESCAPE = re.compile(
    rf"""\\(?<!\\.)\\*+(?:{_PAIR}|(["'/bfnrt`])|([ux]\{{{_HEX}{{1,8}}\}}|u{_HEX}{{4}}|U{_HEX}{{8}}|x[0-7]{_HEX})"""
    rf"|(x[89A-Fa-f]{_HEX}(?:\\++x[89A-Fa-f]{_HEX})*+)|([01][0-7]{{2}}))"
    rf"|U\+(?<!\w..)({_HEX}{{4,6}})\b(?:[ ,]{{1,2}}(?=U\+))?"
)
_UNESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_BYTE = re.compile(rf"x({_HEX}{{2}})")


def _decode(text: str) -> Iterator[Run]:
    yield rewritten(text, _ESCAPE, _unescape)


def _unescape(escape: re.Match[str]) -> str:
    high, low, letter, unit, run, octal, named = escape.groups()
    if letter:
        return _UNESCAPED.get(letter, letter)
    if run:
        return bytes.fromhex("".join(_BYTE.findall(run))).decode("utf-8", "replace")
    if high:
        code = 0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF)
    else:
        code = int(octal, 8) if octal else int(named or unit.strip("uUx{}"), 16)
    return "\ufffd" if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF else chr(code)


_CODE = rf"""["'/bfnrt`]|[ux]\{{{_HEX}{{1,8}}\}}|u{_HEX}{{4}}|U{_HEX}{{8}}|x{_HEX}{{2}}|[01][0-7]{{2}}"""
DECODER: Final = Decoder(
    "escapes",
    rf"\\(?:{_CODE})|U\+{_HEX}{{4,6}}[ ,]{{0,2}}U\+{_HEX}{{4}}",
    _decode,
    rewrites=True,
    marks=clusters_of(_ESCAPE.pattern, r"\\U"),
)
