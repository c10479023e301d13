"""Percent-encoding, once or more often over (`%69`, `%2569`), `%u0069`, and `+` between words as forms send it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from detectors.decoders._alternatives import clusters_of
from detectors.decoding import Decoder, Run, rewritten
from detectors.stepwise import replaced

_BYTE = r"%(?:25)*+"
_ESCAPE = re.compile(
    rf"{_BYTE}[0-7][0-9A-Fa-f]|{_BYTE}[89A-Fa-f][0-9A-Fa-f](?:{_BYTE}[89A-Fa-f][0-9A-Fa-f])*+"
    rf"|{_BYTE}u([0-9A-Fa-f]{{4}})|\+(?<=[A-Za-z.,!?].)(?=[A-Za-z])"
)
_PLAIN = {f"%{code:{form}}": chr(code) for code in range(0x80) for form in ("02x", "02X")} | {"+": " "}
_LAYERS = re.compile(_BYTE)


def _decode(text: str) -> Iterator[Run]:
    yield rewritten(text, _ESCAPE, _say)


def _say(escape: re.Match[str]) -> str:
    plain = _PLAIN.get(escape.group())
    if plain is not None:
        return plain
    unit = escape.group(1)
    if unit is not None:
        code = int(unit, 16)
        return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)
    written = escape.group()
    # One byte of ASCII, behind however many layers, or several bytes.
    return _PLAIN.get(f"%{written[-2:]}") or bytes.fromhex(replaced(_LAYERS, "", written)).decode("utf-8", "replace")


DECODER: Final = Decoder(
    "percent",
    r"%(?:25)*(?:[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4})|[A-Za-z]{2}(?:\+[A-Za-z]+){3}",
    _decode,
    rewrites=True,
    marks=clusters_of(_ESCAPE.pattern, "%+"),
)
