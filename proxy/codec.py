"""What a codec is: our reader and writer of one dialect. Each module of `providers/` offers one as CODEC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from detectors.frozen import statically_frozen
from detectors.types import Direction
from policies.types import BlockAs, Disclose, Verdict
from proxy.walk import Walk

JsonObject = dict[str, Any]
Headers = Mapping[str, str]


@statically_frozen
@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: method, path below the mount (without query) and the query string."""

    method: str
    path: str
    query: str = ""


@statically_frozen
@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; None where it did not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """All that a codec needs to say no: the verdict on which direction, how much to disclose, the decision to name."""

    verdict: Verdict
    direction: Direction
    disclose: Disclose
    decision_id: str


@statically_frozen
@dataclass(frozen=True, slots=True)
class Piece:
    """Text of one channel inside one stream event. `whole`: hold it until the channel ends (tool arguments)."""

    channel: str
    text: str
    whole: bool = False


@statically_frozen
@dataclass(frozen=True, slots=True)
class Frame:
    """One stream event as its codec reads it.

    `document` is the event without the channel texts in `pieces`, and `rest` what else of it is to be scanned; `bare`
    tells that nothing worth sending is left in it. `ends` holds the prefixes of the channels that are complete with
    this event. `last` marks the event after which nothing may follow, `failed` one by which the upstream gave up.
    """

    document: JsonObject
    pieces: tuple[Piece, ...]
    rest: Walk
    ends: tuple[str, ...] = ()
    last: bool = False
    bare: bool = False
    failed: bool = False
    usage: Usage | None = None


class StreamReader(Protocol):
    """One stream of a dialect. Holds what later frames need of earlier ones."""

    def read(self, event: str, data: str) -> Frame:
        """Read one event's data. Raises JsonError for what cannot be parsed."""

    def text_event(self, channel: str, text: str) -> bytes:
        """Return the event that carries `text` on a channel seen before."""

    def write(self, frame: Frame) -> bytes:
        """Return the frame's own event, without channel texts."""

    def cut(self, refusal: Refusal, block_as: BlockAs) -> bytes:
        """Return what ends the stream so that the official SDK understands it as a block."""

    def failure(self, status: int, code: str, message: str) -> bytes:
        """Return the event that says the stream broke off."""


@runtime_checkable
class Codec(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def vocabulary(self) -> frozenset[str]:
        """The keys that the dialect itself defines; every other key is somebody's text."""

    def claims(self, method: str, path: str, headers: Headers) -> bool:
        """Tell whether this codec reads that request; the first codec that says so gets it."""

    def upstream_path(self, target: Target) -> str:
        """Return what follows the upstream's base URL."""

    def models(self, body: JsonObject) -> tuple[str, ...]:
        """Return every model the request may reach, the wanted one first."""

    def streaming(self, body: JsonObject) -> bool: ...
    def segments(self, body: Any, direction: Direction) -> Walk:
        """Walk a whole body. Never raises for odd shapes: what is not understood is `unknown` and scanned."""

    def usage(self, body: JsonObject) -> Usage: ...
    def credential(self, headers: Headers) -> str | None:
        """Return the key in the dialect's own header."""

    def credential_headers(self, credential: str) -> dict[str, str]:
        """Return the header that carries a credential to the upstream."""

    def stream(self) -> StreamReader: ...
    def refusal(self, refusal: Refusal) -> JsonObject:
        """Return the body of a 400 that says the request, or the answer, was blocked."""

    def blocked_answer(self, refusal: Refusal, block_as: BlockAs, answer: JsonObject) -> JsonObject:
        """Return the answer that says so within the dialect (`content_filter` or `refusal`), status 200."""

    def without_copies(self, answer: JsonObject) -> None:
        """Drop from an answer, in place, what repeats text that was just masked (logprobs)."""

    def param(self, pointer: str) -> str:
        """Return a JSON Pointer as the dialect writes places: `messages[3].content`."""

    def error(self, status: int, code: str, message: str, param: str | None = None) -> JsonObject: ...
