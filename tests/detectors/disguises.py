"""How attackers write a text that a model reads and a filter does not: a function for each way, by name."""

from __future__ import annotations

import base64
import codecs
import gzip
import html
import json
import re
import textwrap
import urllib.parse
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Final

Disguise = Callable[[str], str]

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MORSE = dict(
    re.findall(
        r"(\S)=(\S+)",
        "a=.- b=-... c=-.-. d=-.. e=. f=..-. g=--. h=.... i=.. j=.--- k=-.- l=.-.. m=-- n=-. o=--- p=.--. q=--.- r=.-. "
        "s=... t=- u=..- v=...- w=.-- x=-..- y=-.-- z=--.. 0=----- 1=.---- 2=..--- 3=...-- 4=....- 5=..... 6=-.... "
        "7=--... 8=---.. 9=----. .=.-.-.- ,=--..-- @=.--.-.",
    )
)
_RFC_4648_LINE, _MAIL_LINE = 76, 30


def _base64(raw: str | bytes) -> str:
    return base64.b64encode(raw.encode() if isinstance(raw, str) else raw).decode()


def _lines(text: str, width: int = _MAIL_LINE, prefix: str = "") -> str:
    return "\n".join(prefix + line for line in textwrap.wrap(text, width))


def _each(form: str, between: str = "") -> Disguise:
    """Write each byte by a format."""
    return lambda text: between.join(form.format(byte) for byte in text.encode())


def _turned(alphabet: str) -> Disguise:
    table = str.maketrans(_LETTERS + _LETTERS.upper(), alphabet + alphabet.upper())
    return lambda text: text.translate(table)


def _put(letters: str, others: Iterable[str]) -> Disguise:
    table = str.maketrans(dict(zip(letters, others, strict=True)))
    return lambda text: text.translate(table)


def _moved(first: int) -> Disguise:
    """Write small letters with those of another block that begins at `first`."""
    return _put(_LETTERS, (chr(first + index) for index in range(26)))


def _words(between: str, letter: str = "") -> Disguise:
    return lambda text: between.join(letter.join(word) for word in text.split())


def _morse(word: str, dot: str = ".", dash: str = "-") -> Disguise:
    def write(text: str) -> str:
        words = (" ".join(_MORSE[c] for c in w if c in _MORSE) for w in text.lower().split())
        return word.join(words).replace(".", dot).replace("-", dash)

    return write


def _selectors(text: str) -> str:
    return "".join(chr(0xFE00 + byte if byte < 16 else 0xE0100 + byte - 16) for byte in text.encode())


_PLAIN: Final[Mapping[str, Disguise]] = {
    "capitals": str.upper,
    "tabs and lines": _words(" \t\n "),
    "no-break spaces": _words("\u00a0"),
    "zero width": "\u200b".join,
    "soft hyphens": "\u00ad".join,
    "word joiners": "\u2060".join,
    "control characters": "\x01".join,
    "tag characters": lambda text: "Hello" + "".join(chr(0xE0000 + ord(c)) for c in text),
    "variation selectors": lambda text: f"\U0001f600{_selectors(text)}",
    "variation selectors one a letter": lambda text: "".join(f"x{s}" for s in _selectors(text)),
    "bidi override": lambda text: f"\u202e{text[::-1]}\u202c",
    "bidi override of logical order": lambda text: f"\u202e{text}\u202c",
    "bidi isolate": lambda text: f"\u2067{text[::-1]}\u2069",
    "bidi isolates inside": "\u2066\u2069".join,
    "Cyrillic lookalikes": _put("aeopcxyi", "аеорсхуі"),  # noqa: RUF001 - the disguise
    "fullwidth": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "mathematical letters": _moved(0x1D41A),
    "circled letters": _moved(0x24D0),
    "combining marks": lambda text: "".join(f"{c}\u0301\u0325" for c in text),
    "leetspeak": _put("oieastOIEAST", "013457013457"),
    "leetspeak with signs": _put("ieaosI", "!3@0$!"),
    "leetspeak here and there": _put("oe", "03"),
    "spaced letters": _words("   ", " "),
    "spaced letters, no words": lambda text: " ".join(text.replace(" ", "")),
    "dotted letters": _words(" ", "."),
    "dashed letters": _words(" ", "-"),
    "dotted letters, no words": lambda text: ".".join(text.replace(" ", "")),
    "underscores": "_".join,
    "a letter a line": lambda text: "\n".join(text.replace(" ", "")),
}

_CODES: Final[Mapping[str, Disguise]] = {
    "base64": _base64,
    "base64 unpadded": lambda text: _base64(text).rstrip("="),
    "base64 url-safe": lambda text: base64.urlsafe_b64encode(f"{text} ?>~~~".encode()).decode(),
    "base64 wrapped": lambda text: _lines(_base64(text)),
    "base64 quoted": lambda text: _lines(_base64(text), prefix="> "),
    "base64 twice": lambda text: _base64(_base64(text)),
    "base64 thrice": lambda text: _base64(_base64(_base64(text))),
    "base64 of gzip": lambda text: _base64(gzip.compress(text.encode())),
    "base64 of zlib": lambda text: _base64(zlib.compress(text.encode())),
    "base64 of UTF-16": lambda text: _base64(text.encode("utf-16")),
    "base64 of UTF-16 big-endian": lambda text: _base64(text.encode("utf-16-be")),
    "base64 in a fence": lambda text: f"```b64\n{_lines(_base64(text), _RFC_4648_LINE)}\n```",
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "base32 small and unpadded": lambda text: base64.b32encode(text.encode()).decode().lower().rstrip("="),
    "base32 wrapped": lambda text: _lines(base64.b32encode(text.encode()).decode()),
    "base32 extended": lambda text: base64.b32hexencode(text.encode()).decode(),
    "ascii85": lambda text: base64.a85encode(text.encode()).decode(),
    "ascii85 of Adobe": lambda text: base64.a85encode(text.encode(), adobe=True, wrapcol=40).decode(),
    "base85": lambda text: base64.b85encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "hex capitals": lambda text: text.encode().hex().upper(),
    "hex spaced": lambda text: text.encode().hex(" "),
    "hex wrapped": lambda text: _lines(text.encode().hex()),
    "hex of gzip": lambda text: gzip.compress(text.encode()).hex(),
    "hex escapes": _each("\\x{:02x}"),
    "hex list": _each("0x{:02x}", ", "),
    "hex number": lambda text: f"0x{text.encode().hex()}",
    "unicode escapes": _each("\\u{:04x}"),
    "unicode escapes escaped": _each("\\\\u{:04x}"),
    "unicode escapes braced": _each("\\u{{{:x}}}"),
    "unicode escapes long": _each("\\U{:08x}"),
    "code points": _each("U+{:04X}", " "),
    "octal escapes": _each("\\{:03o}"),
    "octal codes": _each("{:03o}", " "),
    "percent": _each("%{:02x}"),
    "percent twice": lambda text: urllib.parse.quote(_each("%{:02x}")(text)),
    "percent of blanks": urllib.parse.quote,
    "percent of forms": urllib.parse.quote_plus,
    "percent of scripts": _each("%u{:04x}"),
    "entities": _each("&#{};"),
    "entities hex": _each("&#x{:x};"),
    "entities without ends": _each("&#{:07d}"),
    "entities twice": lambda text: html.escape(_each("&#{};")(text)),
    "entities here and there": _put("oi", ("&#111;", "&#105;")),
    "entities for blanks": _words("&nbsp;"),
    "quoted-printable": _each("={:02X}"),
    "quoted-printable here and there": _put("oi", ("=6F", "=69")),
    "quoted-printable lines": lambda text: "=\n".join(text[i : i + 5] for i in range(0, len(text), 5)),
    "decimal codes": _each("{}", " "),
    "decimal codes with commas": _each("{}", ", "),
    "decimal codes with dashes": _each("{}", "-"),
    "decimal list": lambda text: str(list(text.encode())),
    "binary": _each("{:08b}", " "),
    "binary unspaced": _each("{:08b}"),
    "binary of seven": _each("{:07b}", " "),
    "binary literals": _each("0b{:08b}", ", "),
    "Morse": _morse(" / "),
    "Morse with gaps": _morse("   "),
    "Morse with bullets": _morse(" | ", "\u2022", "\u2013"),
    "Morse with middle dots": _morse(" / ", "\u00b7", "\u2212"),
    "ROT13": lambda text: codecs.encode(text, "rot13"),
    "ROT47": lambda text: "".join(chr(33 + (ord(c) + 14) % 94) if "!" <= c <= "~" else c for c in text),
    "atbash": _turned(_LETTERS[::-1]),
    "reversed": lambda text: text[::-1],
    "reversed words": lambda text: " ".join(word[::-1] for word in text.split()),
    **{f"Caesar {shift}": _turned(_LETTERS[shift:] + _LETTERS[:shift]) for shift in range(1, 26)},
}

_WRAPPERS: Final[Mapping[str, Disguise]] = {
    "tags around": lambda text: f"<div><p><b>{text}</b></p></div>",
    "tags between letters": "<b></b>".join,
    "tags around letters": lambda text: "".join(f"<span>{c}</span>" for c in text),
    "tags within words": lambda text: " ".join(f"<i>{word[:2]}</i>{word[2:]}" for word in text.split()),
    "tags with quoted ends": lambda text: " ".join(f'{w[:2]}<b title=">"></b>{w[2:]}' for w in text.split()),
    "tags as entities": lambda text: html.escape("<b></b>".join(text)),
    "tags for blanks": _words("<br/>"),
    "a comment": lambda text: f"Hi <!-- {text} --> there",
    "comments between letters": "<!-- x -->".join,
    "character data": lambda text: f"<x><![CDATA[{text}]]></x>",
    "an attribute": lambda text: f'<img src="x.png" alt="{text}">',
    "bold words": lambda text: " ".join(f"**{word}**" for word in text.split()),
    "bold halves": lambda text: " ".join(f"{word[:2]}**{word[2:]}**" for word in text.split()),
    "code words": lambda text: " ".join(f"`{word}`" for word in text.split()),
    "asterisks": "*".join,
    "a link": lambda text: f"[{text}](https://page.example/)",
    "linked words": lambda text: " ".join(f"[{word}](https://page.example/a)" for word in text.split()),
    "a hidden comment": lambda text: f"[//]: # ({text})",
    "headings": lambda text: "\n".join(f"# {word}" for word in text.split()),
    "a quote": lambda text: "\n".join(f"> {word}" for word in text.split()),
    "a table": lambda text: f"| {' | '.join(text.split())} |",
    "a fence": lambda text: f"```\n{text}\n```",
    "JSON": lambda text: json.dumps({"a": {"b": [text]}}),
    "JSON in JSON": lambda text: json.dumps({"x": json.dumps({"a": text})}),
    "JSON of words": lambda text: json.dumps(text.split()),
    "JSON with escapes": lambda text: f'{{"a": "{_each("&#{};")(text)}", "b": "\\u0021"}}',
}

DISGUISES: Final[Mapping[str, Disguise]] = {**_PLAIN, **_CODES, **_WRAPPERS}
# Their mere presence is a finding of its own.
PRESENCE: Final = frozenset(
    {
        "zero width", "word joiners", "tag characters", "variation selectors", "bidi override",
        "bidi override of logical order",
    }
)  # fmt: skip
