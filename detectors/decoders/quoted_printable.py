"""Quoted-printable: `=69` for a character, and lines that `=` at their end continues."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from detectors.decoders._alternatives import clusters_of
from detectors.decoding import Decoder, Run, rewritten

_LETTER = "=[2-7][0-9A-Fa-f]"
_ESCAPE = re.compile(rf"=\r?\n|{_LETTER}|=0[AaDd]|(?:=[89A-Fa-f][0-9A-Fa-f])+")
_PLAIN = {f"={code:{form}}": chr(code) for code in range(0x20, 0x80) for form in ("02x", "02X")} | {"=\n": ""}


def _decode(text: str) -> Iterator[Run]:
    yield rewritten(text, _ESCAPE, _say)


def _say(escape: re.Match[str]) -> str:
    plain = _PLAIN.get(escape.group())
    if plain is not None:
        return plain
    written = escape.group().replace("=", "").strip()
    return bytes.fromhex(written).decode("utf-8", "replace")


# One escape is a value behind an equals sign, three in a row are a text; and code puts a blank before `=` at its end.
DECODER: Final = Decoder(
    "quoted_printable",
    rf"{_LETTER}(?:[^=\n]{{0,24}}{_LETTER}){{2}}|[^=\s]=\r?\n[^=\s]",
    _decode,
    rewrites=True,
    marks=clusters_of(_ESCAPE.pattern, "="),
)
