"""A stream of answers: which text of an event belongs to which channel, and how an event is written again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detectors.seams import REACH
from detectors.types import Direction, Kind, Origin, Place, Segment
from policies.types import BlockAs
from proxy.bodies.json_document import JsonError, parse
from proxy.bodies.walk import Walk
from proxy.codec import EventParser, Frame, JsonObject, Piece, Refusal
from proxy.providers._chat_turns import Turns
from proxy.providers._gemini_answer import ENVELOPE, drop, walk_answer
from proxy.providers._gemini_channels import RESULT_CHANNELS, Texts, part_of, take_texts
from proxy.providers._gemini_shapes import VOCABULARY, camel, error_body, member, members, refusal_body, usage_of
from proxy.providers._gemini_wire import Wire
from proxy.providers._layouts import CANDIDATES, PART_CHANNELS
from proxy.providers._openai_shapes import is_fact
from proxy.pseudonyms.restorable import SPOKEN, Use
from proxy.streams.joints import seam_of

_MOST_CANDIDATES: Final = 1000
_BARE_CANDIDATE: Final = frozenset({"content", "index", "safetyRatings", "tokenCount", "avgLogprobs"})


class GeminiStream:
    """Remembers the last event's envelope, so that text held back can be sent in an event of its own."""

    layout = CANDIDATES

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._envelope: JsonObject = {}
        self._constants: dict[str, str] = {}
        self._ran: dict[str, str] = {}  # by channel: the last of the code, and of what came of it
        self._turns = Turns(("thought", "text"))
        self._begun: set[int] = set()
        self._unfinished: set[int] = set()
        self._complete = False

    @property
    def content_type(self) -> str:
        return self._wire.content_type

    def parser(self) -> EventParser:
        return self._wire.parser()

    def finish(self) -> Frame | None:
        """The connection's end is the stream's, where a candidate has finished or the prompt was refused."""
        return Frame({}, (), Walk(Direction.RESPONSE, VOCABULARY), ends=("",), last=True) if self._complete else None

    def read(self, event: str, data: str) -> Frame:
        if not data.strip():
            return Frame({}, (), Walk(Direction.RESPONSE, VOCABULARY), bare=True)
        document = parse(data.encode())
        if not isinstance(document, dict):
            raise JsonError("a stream event must be an object")
        self._envelope |= {key: value for key, value in document.items() if camel(key) in ENVELOPE and is_fact(value)}
        pieces: list[Piece] = []
        ends: list[str] = []
        over: list[str] = []
        further: list[Segment] = []
        finished = False
        for position, candidate in _candidates(document):
            index = _index(candidate, position)
            _drop_copies(candidate)
            texts = take_texts(candidate, index)
            over += self._turns.over(index, texts.pieces, ())
            pieces += texts.pieces
            further += self._further(texts)
            finishing = bool(member(candidate, "finishReason"))
            finished = finished or finishing
            ends += [*texts.ends, *([f"{index}/"] if finishing else [])]
            self._follow(candidate, index)
        if member(member(document, "promptFeedback"), "blockReason"):
            self._complete = True
        rest = Walk(Direction.RESPONSE, VOCABULARY)
        walk_answer(rest, document)
        bare = not rest.segments and not further and _is_bare(document)
        rest.segments += further
        failed, usage = bool(document.get("error")), usage_of(document)
        return Frame(
            document,
            tuple(pieces),
            rest,
            tuple(ends),
            finished,
            bare=bare,
            failed=failed,
            usage=usage,
            over=tuple(over),
        )

    def strand(self, channel: str) -> str:
        return channel

    def use_of(self, channel: str) -> Use | None:
        return SPOKEN if PART_CHANNELS.speaks(channel) else None

    def released(self, channel: str, text: str) -> None:
        """Nothing is read again of what was said."""

    def text_event(self, channel: str, text: str) -> bytes:
        index, _, kind = channel.partition("/")
        part = part_of(kind, text, self._constants.get(channel, ""))
        candidate = {"content": {"parts": [part], "role": "model"}, "index": int(index)}
        return self._wire.event({"candidates": [candidate], **self._envelope})

    def write(self, frame: Frame) -> bytes:
        if frame.last:
            return self._wire.end()
        return self._wire.end(frame.document) if frame.failed else self._wire.event(frame.document)

    def cut(self, refusal: Refusal, block_as: BlockAs) -> bytes:
        body = refusal_body(refusal)
        if block_as is BlockAs.ERROR:
            return self._wire.end(body)
        parts = [{"text": body["error"]["message"]}] if block_as is BlockAs.REFUSAL else []
        candidates = [blocked_candidate(index, parts) for index in sorted(self._unfinished or self._begun or {0})]
        return self._wire.end({"candidates": candidates, **self._envelope})

    def failure(self, status: int, code: str, message: str) -> bytes:
        return self._wire.end(error_body(status, code, message))

    def _follow(self, candidate: JsonObject, index: int) -> None:
        self._begun.add(index)
        self._unfinished.add(index)
        if member(candidate, "finishReason"):
            self._unfinished.discard(index)
            self._complete = True

    def _further(self, texts: Texts) -> Iterator[Segment]:
        """Yield what is to be read of taken texts beside their channels: what a signature covers, and where code, or
        what came of it, goes on with that of an earlier part.

        Nothing of it can be edited, as it stands nowhere in the event: what would be masked there is a stop.
        """
        self._constants |= texts.constants
        for piece in texts.pieces:
            if piece.channel.endswith(RESULT_CHANNELS):
                before = self._ran.pop(piece.channel, "")
                if before:
                    yield seam_of(before, piece.text)
                self._ran[piece.channel] = (before + piece.text)[-REACH:]
        for piece in texts.signed:
            yield Segment(Direction.RESPONSE, Origin.ASSISTANT, Kind.OPAQUE, Place.NUMBER, "", piece.text)


def blocked_candidate(index: int, parts: list[JsonObject]) -> JsonObject:
    """Return the candidate that stands for one that was blocked."""
    return {"content": {"parts": parts, "role": "model"}, "finishReason": "SAFETY", "index": index}


def _candidates(document: JsonObject) -> Iterator[tuple[int, JsonObject]]:
    for listed in members(document, "candidates"):
        for position, candidate in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(candidate, dict):
                yield position, candidate


def _index(candidate: JsonObject, position: int) -> int:
    index = candidate.get("index")
    return index if type(index) is int and 0 <= index < _MOST_CANDIDATES else position


def _drop_copies(candidate: JsonObject) -> None:
    """Drop what repeats the text: what is held back, or masked, must not arrive by another door."""
    drop(candidate, "logprobsResult")
    for grounding in members(candidate, "groundingMetadata"):
        for supports in members(grounding, "groundingSupports"):
            for support in supports if isinstance(supports, list) else ():
                for segment in members(support, "segment"):
                    drop(segment, "text")


def _is_bare(document: JsonObject) -> bool:
    """Tell whether nothing but the envelope, counts and emptied texts is left."""
    candidates = document.get("candidates")
    if not isinstance(candidates, list) or not candidates:
        return False
    known = {camel(key) for key in document} <= ENVELOPE | {"candidates", "usageMetadata"}
    return known and all(isinstance(candidate, dict) and _is_bare_candidate(candidate) for candidate in candidates)


def _is_bare_candidate(candidate: JsonObject) -> bool:
    content = candidate.get("content", {})
    if not {camel(key) for key in candidate} <= _BARE_CANDIDATE or not isinstance(content, dict):
        return False
    return content.keys() <= {"parts", "role"} and content.get("parts") in ([], [{"text": ""}], None)
