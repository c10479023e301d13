"""Web addresses in text that is shown as Markdown or HTML: where they stand, and whether showing them fetches them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from unicodedata import normalize
from urllib.parse import unquote

from detectors.frozen import statically_frozen
from detectors.types import Span

AROUND: Final = 512  # characters in front of an address that may say what it is for
LONGEST: Final = 64 << 10  # characters of one address
_LONGEST_IN_ANGLES: Final = 4096
_LONGEST_NAME: Final = 40

# Browsers take backslashes for slashes, and more or fewer than two; Markdown takes away a backslash before the colon.
_START: Final = re.compile(
    r"(?:(?:https?|ftps?|wss?)\\?:[/\\]{0,8}|(?<=[\"'\s=(<:])[/\\]{2})(?=[\w\[%])", re.IGNORECASE
)
_SIGN: Final = re.compile(r"[\s\"'`<>()\[\]]")  # ends an address, but for brackets that are opened inside of it
_LAST_SIGNS: Final = ".,;:!?*_"
_AUTHORITY: Final = re.compile(r"(?:[A-Za-z]+\\?:)?[/\\]*([^/\\?#]*)")
_NAME_AT_END: Final = re.compile(r"[\w:-]+\Z")
_TAG: Final = re.compile(r"<([A-Za-z][\w:-]{0,40})")
_SHOWN: Final = re.compile(r"!\[([^\[\]\n]{0,200})\](?:\[([^\[\]\n]{0,200})\])?(?!\()")
_LABEL: Final = re.compile(r"\[([^\[\]]*)\]:\Z")
_FETCHING_WORD: Final = re.compile(r"(?:url\(|@import|image::?|!\[\[)\Z", re.IGNORECASE)
_FETCHING_TAGS: Final = frozenset(
    {
        "img", "image", "source", "iframe", "frame", "script", "embed", "object", "video", "audio", "track", "link",
        "use", "input", "body", "table", "td", "th", "base", "meta", "svg", "style", "applet", "portal", "feimage",
    }
)  # fmt: skip
_LINKING_TAGS: Final = frozenset({"a", "area"})


@statically_frozen
@dataclass(frozen=True, slots=True)
class Address:
    """One address as it stands in the text. `fetched`: whoever shows the text asks for it, nobody has to click.
    `label` is the name of a reference-style definition.
    """

    span: Span
    text: str
    fetched: bool
    label: str | None = None

    @property
    def authority(self) -> str:
        """Who is asked, as written: with what stands before an at-sign, and with its port."""
        match = _AUTHORITY.match(self.text)
        return match.group(1) if match else ""

    @property
    def host(self) -> str:
        """The host as a browser reads it."""
        host = normalize("NFKC", unquote(self.authority)).rpartition("@")[2].replace("\u3002", ".")
        name = host if host.endswith("]") else re.sub(r":[0-9]*\Z", "", host)
        return name.lower().rstrip(".")

    @property
    def behind(self) -> str:
        """Path and query as written, which go to the host; what follows a `#` does not."""
        match = _AUTHORITY.match(self.text)
        return self.text[match.end() if match else 0 :].partition("#")[0].replace("\\", "/")


def may_hold_addresses(text: str) -> bool:
    """Tell, at next to no cost, of most texts that they hold no address in any spelling."""
    return "//" in text or "\\" in text or "&" in text or (":" in text and "http" in text.lower())


def labels_shown(text: str) -> frozenset[str]:
    """Return the names (small letters) under which images of a text look for their address."""
    if "![" not in text:
        return frozenset()
    return frozenset((label or alt).lower() for alt, label in _SHOWN.findall(text))


def addresses_in(text: str) -> Iterator[Address]:
    """Yield the addresses of a text in order. Linear: each looks at no more than `AROUND` characters before it."""
    position = 0
    while (match := _START.search(text, position)) is not None:
        start = match.start()
        before = text[max(0, start - AROUND) : start]
        end = _end(text, start, before)
        label = _LABEL.search(before.rstrip(" \t\n<"))
        bare_slashes = text[start] in "/\\"
        fetched, linked = _use(before)
        if fetched or linked or label or not bare_slashes:
            written = re.sub(r"[\t\r\n]|\\(?=:)", "", text[start:end]).replace("\\/", "/")
            yield Address(Span(start, end), written, fetched, label.group(1).lower() if label else None)
        position = max(end, match.end())


def _end(text: str, start: int, before: str) -> int:
    """Return where the address that begins at `start` ends: by its quote or bracket, else by its first odd sign."""
    longest = min(len(text), start + LONGEST)
    opening = before[-1:]
    if opening and opening in "\"'" and before[:-1].rstrip().endswith("="):
        closing = text.find(opening, start, longest)
        return closing if closing >= 0 else longest
    if opening == "<":
        closing = text.find(">", start, start + _LONGEST_IN_ANGLES)
        if closing >= 0 and "\n" not in text[start:closing]:
            return closing
    end, closes = _bare_end(text, start, longest)
    return end if closes else start + max(1, len(text[start:end].rstrip(_LAST_SIGNS)))


def _bare_end(text: str, start: int, longest: int) -> tuple[int, bool]:
    """Return where an address that nothing encloses ends, and whether a bracket closes there that opened before it."""
    depth = 0
    for match in _SIGN.finditer(text, start, longest):
        sign = match.group()
        if sign in "([":
            depth += 1
        elif sign not in ")]":
            return match.start(), False
        elif depth == 0:
            return match.start(), True
        else:
            depth -= 1
    return longest, False


def _use(before: str) -> tuple[bool, bool]:
    """Tell by the text in front of an address whether showing it fetches it, and whether it is a link at least."""
    head = before.rstrip(" \t\r\n\"'<")
    if head.endswith("(") and head[:-1].endswith("]"):
        return _is_image(head[:-2]), True
    if _FETCHING_WORD.search(head[-_LONGEST_NAME:]):
        return True, True
    attribute = _attribute_at_end(head)
    tag_at = before.rfind("<")
    tag = _TAG.match(before, tag_at) if tag_at > before.rfind(">") else None
    name = tag.group(1).lower() if tag else ""
    if name in _LINKING_TAGS:
        return attribute == "ping", True
    return (
        name in _FETCHING_TAGS or attribute in {"src", "srcset", "poster", "background"},
        attribute == "href" or before.endswith("<"),
    )


def _attribute_at_end(head: str) -> str:
    if not head.endswith("="):
        return ""
    name = _NAME_AT_END.search(head[-_LONGEST_NAME:-1].rstrip())
    return name.group().lower() if name else ""


def _is_image(head: str) -> bool:
    """Tell whether the bracket that closes at the end of `head` began with an exclamation mark.

    If its beginning is out of sight, it may have.
    """
    depth = 1
    for index in range(len(head) - 1, -1, -1):
        character = head[index]
        if character in "[]" and head[max(0, index - 1) : index] != "\\":
            depth += 1 if character == "]" else -1
            if depth == 0:
                return head[max(0, index - 1) : index] == "!"
    return len(head) >= AROUND - 8
