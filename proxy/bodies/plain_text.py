"""Bytes that read as text although nobody said so, or although somebody said otherwise."""

from __future__ import annotations

from typing import Final

from detectors.decoding import readable

# To look at every byte of a sound file would take seconds; what is no text this far is none that anybody reads.
_ENOUGH: Final = 64 * 1024
_CHARSETS: Final = ("utf-8", "utf-16-le", "utf-16-be")


def charset_of(raw: bytes) -> str | None:
    """Return the encoding in which all of `raw` decodes and its beginning reads as text; None for other bytes."""
    for end in range(_ENOUGH, _ENOUGH - 4, -1):  # the cut may fall inside a character
        beginning = raw[:end]
        said = readable(beginning)
        if said is not None:
            fitting = (charset for charset in _CHARSETS if _decoded(beginning, charset) == said)
            return next((charset for charset in fitting if _decoded(raw, charset) is not None), None)
        if len(raw) < end:
            break
    return None


def text_of(raw: bytes, kind: str) -> str | None:
    """Return what `raw` says if it reads as text; under a label `text/...` any UTF-8 does. A mark in front goes."""
    charset = charset_of(raw) or ("utf-8" if kind.startswith("text/") else None)
    return None if charset is None else _decoded(raw, charset)


def _decoded(raw: bytes, charset: str) -> str | None:
    try:
        return raw.decode(charset).removeprefix("\ufeff")
    except UnicodeDecodeError:
        return None
