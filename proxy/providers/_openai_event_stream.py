"""Streams of events that say their type: transcripts, speech and images as they come (API reference, streaming)."""

from __future__ import annotations

import re
from typing import Final

from detectors.types import Direction, Origin, Unscanned
from policies.types import BlockAs
from proxy.bodies.pointer import escape, unescape
from proxy.bodies.walk import Walk
from proxy.codec import Frame, JsonObject, Piece, Refusal
from proxy.providers._loose_texts import LooseTexts
from proxy.providers._openai_media import walk_media
from proxy.providers._openai_shapes import VOCABULARY, is_fact, refusal_body, usage_of
from proxy.providers._openai_stream import DONE, ChatStream, event_of
from proxy.pseudonyms.restorable import SPOKEN, Use

_NAME: Final = re.compile(r"[a-z_.]{1,64}")
_TEXT: Final = "delta"  # the one text; of a transcript that tells its segments apart, `delta/<id>/` is that of each
_LAST: Final = frozenset({"transcript.text.done", "speech.audio.done"})
_COMPLETE: Final = frozenset({"image_generation.completed", "image_edit.completed"})
_ENTIRE: Final = _LAST | _COMPLETE | {"error"}  # each says all that it says
_SEGMENT: Final = "segment_id"
_FACTS: Final = frozenset({"type", _SEGMENT})
_LONGEST_COPY: Final = 4 << 20  # characters; no event that repeats more could be read


class EventStream(ChatStream):
    """Remembers what was said, so that the last event, which repeats it, says what was sent.

    `media` holds the keys under which bytes stand in base64. Chunks with choices, as some servers stream transcripts,
    are read like those of a chat.
    """

    def __init__(self, media: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self._media, self._kind = media, "transcript.text.delta"
        self._heard, self._said, self._size = list[str](), list[str](), 0
        self._copy: JsonObject | None = None
        self._loose = LooseTexts()
        self._named = self._complete = self._silent = False
        self._channel = _TEXT

    def read(self, event: str, data: str) -> Frame:
        self._named = bool(event)
        return super().read(event, data)

    def read_document(self, document: JsonObject) -> Frame:
        kind = document.get("type")
        if not isinstance(kind, str) or "choices" in document:
            return super().read_document(document)
        self._complete, before = kind in _COMPLETE, self._channel
        document.pop("logprobs", None)  # text held back must not arrive by another door
        document.pop("obfuscation", None)  # padding against eavesdroppers, who see our sizes anyway
        pieces = self._take_text(document, kind)
        if kind in _LAST:
            self._take_copy(document)
        rest = self._rest(document)
        if rest.segments and kind not in _ENTIRE:  # one segment of a transcript goes on where another ended
            self._loose.read(rest, kind)
        return Frame(
            document,
            pieces,
            rest,
            ends=("",) if kind in _LAST else (),
            last=kind in _LAST,
            bare=bool(pieces) and not rest.segments and document.keys() <= {*_FACTS, "delta"},
            failed=kind == "error" or bool(document.get("error")),
            usage=usage_of(document),
            over=() if before == self._channel else (before,),
        )

    def strand(self, channel: str) -> str:
        return _TEXT if _is_of_the_text(channel) else super().strand(channel)

    def finish(self) -> Frame | None:
        """A stream of images ends behind a completed one; nothing marks which of them is the last."""
        self._silent = self._complete
        return Frame({}, (), Walk(Direction.RESPONSE, VOCABULARY), ends=("",), last=True) if self._complete else None

    def use_of(self, channel: str) -> Use | None:
        return SPOKEN if _is_of_the_text(channel) else super().use_of(channel)

    def text_event(self, channel: str, text: str) -> bytes:
        if not _is_of_the_text(channel):
            return super().text_event(channel, text)
        if self._size <= _LONGEST_COPY:
            self._said.append(text)
        segment = channel.removeprefix(_TEXT)[1:-1]
        return self._event({"type": self._kind, "delta": text} | ({_SEGMENT: unescape(segment)} if segment else {}))

    def write(self, frame: Frame) -> bytes:
        if frame.last and not frame.document:
            return b"" if self._silent else DONE
        if frame.document is self._copy:
            frame.document["text"] = "".join(self._said)
        return self._event(frame.document)

    def cut(self, refusal: Refusal, block_as: BlockAs) -> bytes:
        """Return an error whatever `block_as` says: these streams have no word for a filtered answer."""
        return event_of(refusal_body(refusal))

    def _take_text(self, document: JsonObject, kind: str) -> tuple[Piece, ...]:
        text = document.get("delta")
        if not isinstance(text, str) or not text:
            return ()
        document["delta"] = ""
        segment = document.get(_SEGMENT)
        self._channel = f"{_TEXT}/{escape(segment)}/" if isinstance(segment, str) and is_fact(segment) else _TEXT
        self._kind = kind if _NAME.fullmatch(kind) else self._kind
        self._size += len(text)
        if self._size <= _LONGEST_COPY:
            self._heard.append(text)
        return (Piece(self._channel, text),)

    def _take_copy(self, document: JsonObject) -> None:
        """Take the whole text out of the last event if it is what was said before; `write` puts in what was sent."""
        text = document.get("text")
        if text and self._size <= _LONGEST_COPY and text == "".join(self._heard):
            document["text"] = ""
            self._copy = document

    def _rest(self, document: JsonObject) -> Walk:
        walk = Walk(Direction.RESPONSE, VOCABULARY)
        for key, value in document.items():
            if key in _FACTS and is_fact(value):
                walk.skip("answer_facts", 2)
            else:
                walk.child(key, None, Origin.ASSISTANT, "")
                walk_media(walk, value, Origin.ASSISTANT, f"/{escape(key)}", self._media, key)
        if Unscanned.MEDIA in walk.unscanned and not walk.segments:
            # An event without any text is sent unjudged, and the policy is to be asked about media.
            walk.visit(document["type"], Origin.ASSISTANT, "/type")
        return walk

    def _event(self, document: JsonObject) -> bytes:
        kind = document.get("type")
        named = self._named and isinstance(kind, str) and _NAME.fullmatch(kind)
        return (f"event: {kind}\n".encode() if named else b"") + event_of(document)


def _is_of_the_text(channel: str) -> bool:
    return channel == _TEXT or channel.startswith(f"{_TEXT}/")
