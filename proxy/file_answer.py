"""An answer that is no JSON: one text, lines of documents, or bytes in which nobody here can look for words."""

from __future__ import annotations

import re
from typing import Any, Final, Self

from detectors.types import Direction, Origin, Unscanned
from proxy.bodies.jsonl import Lines, read_documents, write_lines
from proxy.bodies.plain_text import text_of
from proxy.bodies.walk import Walk

_MEDIA_TYPE: Final = re.compile(r"(?:audio|image|video)/[a-z0-9.+-]{1,60}")
_TEXT: Final = "text/plain; charset=utf-8"
_LINES: Final = "application/x-jsonl"


class FileAnswer(dict[str, Any]):
    """A document of `text` or `lines`; of neither where bytes read as no text, and then they go out as they came."""

    raw: bytes = b""
    kind: str = ""

    @classmethod
    def of_text(cls, raw: bytes, kind: str) -> Self:
        """Read bytes of the type `kind` as one text, if they are any."""
        text = text_of(raw, kind)
        return cls._bytes(raw, kind) if text is None else cls(text=text)

    @classmethod
    def of_lines(cls, raw: bytes, kind: str) -> Self:
        """As `of_text`, but a text whose lines are documents as those."""
        answer = cls.of_text(raw, kind)
        lines = read_documents(answer["text"]) if "text" in answer else None
        return answer if lines is None else cls(lines=lines)

    @classmethod
    def _bytes(cls, raw: bytes, kind: str) -> Self:
        answer = cls()
        answer.raw, answer.kind = raw, kind
        return answer

    def walk(self, vocabulary: frozenset[str]) -> Walk:
        """Take in a text as the model's word; bytes are media, about which the policy's `unscanned` decides."""
        walk = Walk(Direction.RESPONSE, vocabulary)
        if "text" in self:
            walk.visit(self["text"], Origin.ASSISTANT, "/text")
        else:
            walk.unread(Unscanned.MEDIA)
        return walk

    def written(self) -> tuple[bytes, str]:
        """Return what goes to the client, and its content type."""
        if "text" in self:
            return self["text"].encode(), _TEXT
        if isinstance(self.get("lines"), Lines):
            return write_lines(self["lines"]).encode(), _LINES
        return self.raw, self.kind if _MEDIA_TYPE.fullmatch(self.kind) else "application/octet-stream"
