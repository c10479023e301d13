"""Units of text that keep each decoder busy to no end: near misses, and what it reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BUSY: Final[Mapping[str, tuple[str, ...]]] = {
    "atbash": ("rtmliv ", "rtmliv kilnkg ", "svool "),
    "base32": ("jfxgg2lomq4tmmjq", "abcdefghijklm2 ", "A2\n> ", "JFTW43TPOJSSAYLMNQ======"),
    "base64": ("aGVsbG8gd29. ", "aB" * 50, "H4sIAAAAAAAA"),
    "base85": ("A0123", "7abcd", "+" * 30 + " ", "<~87cUR", "ABCDE\n"),
    "binary": ("0101 ", "01", "0b0100100 ", "0000000 1 "),
    "caesar": ("jhopsf ", "jhopsf qsfwjpvt ", "kipsvi tvizmsyw lnqruh "),
    "columns": ("a,password\n", "password,", "password;a\n1;2\n", '"a,"b,password\n', "  password  x\n", "a,pan\n"),
    "decimal_codes": ("73 103 ", "73,", "99999 ", "073 ", "32 1000000 "),
    "entities": ("&", "&#", "&amp;", "&#105;", "&amp;amp;", "&abcdefghijklmnop"),
    "escapes": ("\\", "\\x", "\\x69", "\\xff", "\\u{", "U+0041 ", "U+"),
    "hex": ("68 65 6c 6c 6f zz ", "0x", "6", "\\x69"),
    "json": ("[", '{"a":', '\\"'),
    "leetspeak": ("1gn0r3 ", "a1", "@", "1!|", "l33t w0rds 4re h3re ", "1l1l1l1l1l1l1l1l1l1l "),
    "markup": (
        "<b",
        "<b>",
        "<!--",
        "<a '",
        '<a "',
        "[",
        "[a](",
        "](",
        "*",
        "**a",
        "_a",
        "`",
        "\n> ",
        "\n1. ",
        "|",
        "<style>",
    ),
    "morse": (".- ", ".", ". - / ", "-.-.-.- ", ".-   \n"),
    "percent": ("%", "%25", "%69", "%e2", "%2569", "a+", "%u00"),
    "quoted_printable": ("=", "=69", "=\n", "=E2", "a=\r\n"),
    "reversed": ("erongi ", "\u202e"),
    "reversed_words": ("erongi ", "erongi"),
    "rot13": ("vtaber ", "gur"),
    "rot47": ("X8?@C6 ", "~"),
    "smuggled_bytes": ("\ufe00", "a\ufe01", "\U0001f600\ufe0f", "\U000e0158", "\u845b\U000e0101"),
    "spaced": ("a b ", "a b c d ef ", "a.", "a   b   c d   ", "_ ", "j @ ", "i.g n.o "),
    "tag_characters": ("\U000e0069", "\U0001f3f4\U000e0067", "\U000e0069x"),
}
