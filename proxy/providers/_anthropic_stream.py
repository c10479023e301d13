"""Messages streams: which text of an event belongs to which channel, and how to write one again."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from detectors.types import Direction, Origin, Unscanned
from policies.types import BlockAs
from proxy.bodies.json_document import JsonError, parse
from proxy.bodies.pointer import unescape
from proxy.bodies.walk import Walk
from proxy.codec import Frame, JsonObject, Piece, Refusal
from proxy.providers._anthropic_answer import walk_answer, walk_usage
from proxy.providers._anthropic_blocks import walk_block, walk_unchangeable
from proxy.providers._anthropic_events import (
    DELTA,
    block_index,
    brings_signature,
    empty_start,
    event_bytes,
    is_bare,
    summary_of,
    take_texts,
    text_block,
)
from proxy.providers._anthropic_shapes import (
    VOCABULARY,
    error_body,
    notice,
    refusal_body,
    stop_details,
    usage_of,
)
from proxy.providers._layouts import BLOCK_CHANNELS, MESSAGE_EVENTS
from proxy.providers._loose_texts import LooseTexts
from proxy.providers._openai_shapes import is_fact
from proxy.pseudonyms.restorable import SPOKEN, Use
from proxy.streams.sse import SSE, SseParser

_UNSIGNED: Final = frozenset({"text_delta", "input_json_delta"})
# What a block may begin with, and the delta in which the rest of it comes.
_OPENINGS: Final = {"text": "text_delta", "thinking": "thinking_delta"}
# Events and deltas each of which says all that it says. Of any other one, the next may go on with its text.
_ENTIRE: Final = frozenset(
    {"message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"}
    | {"ping", "error", "citations_delta"}
)
_LONGEST_SIGNED: Final = 1 << 20  # characters of all the thinking of one stream


class MessageStream:
    """Remembers which blocks the client has seen begin, what of a text came with its block's start, and the counts.

    A channel is the index of its block, the type of its deltas and the field in them: `0/text_delta/text`.
    """

    content_type = SSE
    layout = MESSAGE_EVENTS

    def __init__(self) -> None:
        self._begun = False
        self._open: set[int] = set()
        self._next = 0
        self._opening: dict[int, list[Piece]] = {}
        self._signed: defaultdict[int, list[str]] = defaultdict(list)
        self._signed_size = 0
        self._counts: JsonObject = {}
        self._tools: dict[int, str] = {}
        self._loose = LooseTexts()

    def parser(self) -> SseParser:
        return SseParser()

    def finish(self) -> None:
        """Only message_stop ends such a stream."""

    def read(self, event: str, data: str) -> Frame:
        walk = Walk(Direction.RESPONSE, VOCABULARY)
        if not data.strip() or data.startswith("[DONE]"):  # other dialects' end marker says nothing here
            return Frame({}, (), walk, bare=True)
        document = parse(data.encode())
        if not isinstance(document, dict):
            raise JsonError("a stream event must be an object")
        kind, index = document.get("type"), block_index(document)
        pieces, ends = self._pieces(document, kind, index)
        self._walk_rest(walk, document, kind)
        delta = document.get("delta")
        inner = delta.get("type") if kind == DELTA and isinstance(delta, dict) else kind
        if walk.segments and str(inner) not in _ENTIRE:
            self._loose.read(walk, f"{index} {inner}")
        signed = brings_signature(document, kind)
        if signed:
            self._vouch(walk, index)
            ends = (f"{index}/",)
        failed = kind == "error" or event == "error" or bool(document.get("error"))
        return Frame(
            document,
            pieces,
            walk,
            ends=ends,
            finishing=kind == "message_delta",
            last=kind == "message_stop" and not failed,
            bare=kind == DELTA and not walk.segments and not signed and is_bare(document),
            failed=failed,
            usage=usage_of(self._counts) if self._count(document) else None,
        )

    def strand(self, channel: str) -> str:
        return channel.rpartition("/")[2]

    def use_of(self, channel: str) -> Use | None:
        index, _, field = channel.split("/")
        if field == "partial_json":
            return Use(self._tools.get(int(index), ""))
        return SPOKEN if BLOCK_CHANNELS.speaks(channel) else None

    def released(self, channel: str, text: str) -> None:
        """Nothing is read again of what was said."""

    def text_event(self, channel: str, text: str) -> bytes:
        index, kind, field = channel.split("/")
        delta = {"type": unescape(kind), unescape(field): text} if kind else {unescape(field): text}
        return event_bytes({"type": DELTA, "index": int(index), "delta": delta})

    def write(self, frame: Frame) -> bytes:
        kind, index = frame.document.get("type"), block_index(frame.document)
        if kind == "message_start":
            self._begun = True
        elif kind == "content_block_start":
            self._open.add(index)
            self._next = max(self._next, index + 1)
        elif kind == "content_block_stop":
            self._open.discard(index)
        return event_bytes(frame.document, "error" if frame.failed else "")

    def cut(self, refusal: Refusal, block_as: BlockAs) -> bytes:
        if block_as is BlockAs.ERROR:
            return event_bytes(refusal_body(refusal))
        events = [] if self._begun else [empty_start()]
        events += [{"type": "content_block_stop", "index": index} for index in sorted(self._open)]
        if block_as is BlockAs.REFUSAL:
            events += text_block(self._next, notice(refusal))
        reason = {"stop_reason": "refusal", "stop_sequence": None, "stop_details": stop_details(refusal)}
        said = usage_of(self._counts)
        usage = {"output_tokens": (said and said.completion_tokens) or 0}
        events += [{"type": "message_delta", "delta": reason, "usage": usage}, {"type": "message_stop"}]
        return b"".join(map(event_bytes, events))

    def failure(self, status: int, code: str, message: str) -> bytes:
        return event_bytes(error_body(status, code, message))

    def _pieces(self, document: JsonObject, kind: object, index: int) -> tuple[tuple[Piece, ...], tuple[str, ...]]:
        """Take the running texts out of an event; return them, and the prefixes of the channels that end with it."""
        match kind:
            case "content_block_start":
                block = document.get("content_block")
                self._keep_opening(block, index)
                name = block.get("name") if isinstance(block, dict) else None
                self._tools[index] = name if isinstance(name, str) else ""
            case "content_block_delta" if isinstance(document.get("delta"), dict):
                pieces = (*self._opening.pop(index, ()), *take_texts(document["delta"], index))
                self._note_signed(index, (*pieces, *summary_of(document["delta"], index)))
                return pieces, ()
            case "content_block_stop":
                self._signed.pop(index, None)
                return tuple(self._opening.pop(index, ())), (f"{index}/",)
            case "message_delta" | "message_stop" | "error":
                left = tuple(piece for pieces in self._opening.values() for piece in pieces)
                self._opening.clear()
                return left, ("",)
            case _:
                pass
        return (), ()

    def _keep_opening(self, block: object, index: int) -> None:
        """Take a block's first words out of its start: a client can be sent no text before that.

        A block that is signed already stays whole: its text is judged, and never edited, with its event.
        """
        if not isinstance(block, dict) or block.get("signature"):
            return
        for field, delta in _OPENINGS.items():
            if isinstance(block.get(field), str) and block[field]:
                piece = Piece(f"{index}/{delta}/{field}", block[field])
                self._opening.setdefault(index, []).append(piece)
                block[field] = ""

    def _note_signed(self, index: int, pieces: tuple[Piece, ...]) -> None:
        for piece in pieces:
            if piece.channel.split("/")[1] not in _UNSIGNED:
                self._signed_size += len(piece.text)
                if self._signed_size <= _LONGEST_SIGNED:
                    self._signed[index].append(piece.text)

    def _vouch(self, walk: Walk, index: int) -> None:
        """Read what a signature vouches for once more, as one text that nobody may change.

        It has passed by in windows: where one of them was masked, the stream stops here, before the signature.
        """
        walk_unchangeable(walk, "".join(self._signed.pop(index, ())), Origin.ASSISTANT, "/delta")
        if self._signed_size > _LONGEST_SIGNED:
            walk.unread(Unscanned.OVERSIZE)

    def _walk_rest(self, walk: Walk, document: JsonObject, kind: object) -> None:
        for key, value in document.items():
            if key == "type" and is_fact(value):
                walk.skip("vocabulary", 2)
            elif isinstance(value, dict) and (key == "message" or (key == "delta" and kind == "message_delta")):
                walk.skip("vocabulary")
                walk_answer(walk, value, f"/{key}")
            elif key == "usage" and isinstance(value, dict):
                walk.skip("vocabulary")
                walk_usage(walk, value, "/usage")
            elif key in {"content_block", "delta"} and isinstance(value, dict):
                walk.skip("vocabulary")
                walk_block(walk, value, Origin.ASSISTANT, f"/{key}")
            else:
                walk.child(key, value, Origin.ASSISTANT, "")

    def _count(self, document: JsonObject) -> bool:
        message = document.get("message")
        for holder in (message, document):
            usage = holder.get("usage") if isinstance(holder, dict) else None
            if isinstance(usage, dict):  # later counts are totals; those left out stay as they were
                # What a beginning says of its answer is no total: a stream that is cut has said more.
                early = {"output_tokens"} if holder is message else set[str]()
                self._counts |= {k: value for k, value in usage.items() if value is not None and k not in early}
                return True
        return False
