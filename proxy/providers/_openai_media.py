"""Which strings of the OpenAI dialect are bytes that nobody reads as text: counted as media, never taken on trust."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Final

from detectors.decoding import readable
from detectors.types import Origin, Unscanned
from proxy.bodies.pointer import escape
from proxy.bodies.walk import Walk

# Types that no model reads as text; anything else in a data URL (JSON, SVG, plain text) is walked like other text.
_BINARY_TYPES: Final = ("data:image/", "data:audio/", "data:video/", "data:application/pdf", "data:application/vnd.")
_ALPHABET: Final = str.maketrans("-_", "+/")
_SHORTEST, _SHORTEST_BARE = 64, 256  # characters; what is shorter shows nothing and may be a word
_SHORTEST_LINE: Final = 32  # characters; lines of base64 have 64 or 76
_DECLARED: Final = frozenset({"data", "file_data", "b64_json"})  # which hold nothing but bytes
MEDIA: Final = frozenset({"data"})  # what of a chat's answer holds bytes: the sound of a spoken one
_HEX: Final = re.compile(r"[0-9A-Fa-f]+")
# What stands under these is read, or is nobody's picture.
_READ: Final = frozenset({"text", "type", "name", "arguments", "content", "id", "signature", "encrypted_content"})


def is_binary_url(url: str) -> bool:
    head, comma, _ = url[:200].partition(",")
    kind = head.lower()
    binary = comma != "" and kind.startswith(_BINARY_TYPES) and kind.endswith(";base64")
    return binary and is_binary(url[len(head) + 1 :])


def is_binary(base64: str) -> bool:
    """Tell bytes that begin like no text. What is no base64 to its end is text, and so is what stands in words."""
    return begins_binary(base64) and _decoded(base64) is not None and not _in_words(base64)


def _in_words(base64: str) -> bool:
    """Tell blanks after a few letters, where base64 has lines: a sentence without a stop is in its alphabet, too."""
    return not base64.isalnum() and any(len(run) < _SHORTEST_LINE for run in base64.split()[:-1])


def begins_binary(base64: str) -> bool:
    """Tell what begins like bytes that are no text, whatever comes behind."""
    beginning = _decoded("".join(base64[:128].split())[:64])
    return beginning is not None and readable(beginning) is None


def _decoded(base64: str) -> bytes | None:
    """Decode base64 as providers take it: either alphabet, with padding and blanks or without. None if it is none."""
    try:
        plain = base64 if base64.isalnum() else "".join(base64.split()).translate(_ALPHABET)
        return b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        return None


def is_media(path: str, text: str) -> bool:
    """Tell bytes in a chat's answer, which are no running text: a sound, or a picture in a data URL."""
    return (path.endswith("/audio/data") and is_binary(text)) or (path.endswith("/url") and is_binary_url(text))


def opaque_in(value: object, key: str = "") -> int:
    """Return how many strings in a value are bytes that nobody reads: base64, bare or in a data URL of any type."""
    if isinstance(value, dict):
        return sum(opaque_in(child, name) for name, child in value.items())
    if isinstance(value, list):
        return sum(opaque_in(child, key) for child in value)
    if key in _READ or not isinstance(value, str) or len(value) < _SHORTEST:
        return 0
    if value[:5].lower() == "data:":
        head, _, data = value.partition(",")
        return int(head.lower().endswith(";base64") and begins_binary(data))
    # Bare, it could be a digest, a path or an id: those are short, or of fewer letters.
    long = key in _DECLARED or (len(value) >= _SHORTEST_BARE and not _HEX.fullmatch(value[:256]))
    return int(long and begins_binary(value))


def walk_media(
    walk: Walk, value: object, origin: Origin, pointer: str, media: frozenset[str] = frozenset(), key: str = ""
) -> None:
    """Take in `value`, which stands under `key`, and all below it, as `Walk.visit` does, but count as media what is
    bytes: binary data URLs anywhere, and base64 under the keys of `media`.
    """
    if isinstance(value, dict):
        for name, child in value.items():
            walk.child(name, None, origin, pointer)
            walk_media(walk, child, origin, f"{pointer}/{escape(name)}", media, name)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            walk_media(walk, child, origin, f"{pointer}/{index}", media, key)
    elif isinstance(value, str) and value and (is_binary_url(value) or (key in media and is_binary(value))):
        walk.unread(Unscanned.MEDIA)
    else:
        walk.visit(value, origin, pointer)
