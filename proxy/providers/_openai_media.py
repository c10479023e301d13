"""Which strings of the OpenAI dialect are bytes that nobody reads as text: counted as media, never taken on trust."""

from __future__ import annotations

from base64 import b64decode
from typing import Final

from detectors.decoding import readable
from detectors.types import Origin, Unscanned
from proxy.pointer import escape
from proxy.walk import Walk

# Types that no model reads as text; anything else in a data URL (JSON, SVG, plain text) is walked like other text.
_BINARY_TYPES: Final = ("data:image/", "data:audio/", "data:video/", "data:application/pdf", "data:application/vnd.")


def is_binary_url(url: str) -> bool:
    head, comma, _ = url[:200].partition(",")
    kind = head.lower()
    binary = comma != "" and kind.startswith(_BINARY_TYPES) and kind.endswith(";base64")
    return binary and is_binary(url[len(head) + 1 :])


def is_binary(base64: str) -> bool:
    """Tell bytes that begin like no text. What is no base64 at all is text."""
    try:
        beginning = b64decode(base64[:64], validate=True)
    except ValueError:
        return False
    return readable(beginning) is None


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
