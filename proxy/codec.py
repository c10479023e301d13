"""What a codec is: our reader and writer of one dialect. Each module of `providers/` offers one as CODEC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from detectors.frozen import statically_frozen
from detectors.types import Direction
from policies.routes import OpenRoute
from policies.types import BlockAs, Disclose, Verdict
from proxy.bodies.walk import Walk
from proxy.pseudonyms.restorable import Layout, Use
from proxy.streams.sse import SseEvent

JsonObject = dict[str, Any]
Headers = Mapping[str, str]


@statically_frozen
@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: method, path below the mount (without query), the query string, and the dialect that the
    mount names (empty where there was none).
    """

    method: str
    path: str
    query: str = ""
    mount: str = ""


@statically_frozen
@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; None where it did not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@statically_frozen
@dataclass(frozen=True, slots=True)
class Reference:
    """An object that lives at the provider: what kind it is, its id, and where the request names it (a pointer)."""

    kind: str
    id: str
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """All that a codec needs to say no: the verdict on which direction, how much to disclose, the decision to name.

    `text` is what the policy has it say, empty where it leaves that to us.
    """

    verdict: Verdict
    direction: Direction
    disclose: Disclose
    decision_id: str
    text: str = ""


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
    this event, `over` of those that were before it: what is left of them goes out in front of its pieces. `finishing`
    marks one that tells how an answer ended, `last` the event after which nothing may follow, `failed` one by which
    the upstream gave up.
    """

    document: JsonObject
    pieces: tuple[Piece, ...]
    rest: Walk
    ends: tuple[str, ...] = ()
    finishing: bool = False
    last: bool = False
    bare: bool = False
    failed: bool = False
    usage: Usage | None = None
    over: tuple[str, ...] = ()


class EventParser(Protocol):
    """Cuts a stream into events. No sockets."""

    def feed(self, chunk: bytes) -> Iterator[SseEvent]:
        """Yield the events that `chunk` completes. Raises SseError."""

    def finish(self) -> Iterator[SseEvent]:
        """Yield what is left at the end of the stream. Raises SseError."""


class StreamReader(Protocol):
    """One stream of a dialect. Holds what later frames need of earlier ones."""

    @property
    def content_type(self) -> str:
        """What the stream is sent as: `text/event-stream`, or `application/json` for one long array."""

    def parser(self) -> EventParser:
        """Return what cuts this stream's bytes into events."""

    def read(self, event: str, data: str) -> Frame:
        """Read one event's data. Raises JsonError for what cannot be parsed."""

    def finish(self) -> Frame | None:
        """Return the last frame where the upstream's stream ended in order but its dialect has no end marker; None
        if the end is none that the dialect knows.
        """

    def strand(self, channel: str) -> str:
        """Return of which text a channel is a piece, as clients join them: blocks and parts of one answer, say."""

    def use_of(self, channel: str) -> Use | None:
        """Return what the text of a channel seen before is for; None where it is neither said nor a call's."""

    @property
    def layout(self) -> Layout:
        """Where such texts stand in an event's document, beside the channels."""

    def released(self, channel: str, text: str) -> None:
        """Note a text that was judged and may go out, as it is before any pseudonym in it is restored."""

    def text_event(self, channel: str, text: str) -> bytes:
        """Return the event that carries `text` on a channel seen before."""

    def write(self, frame: Frame) -> bytes:
        """Return the frame's own event, without channel texts."""

    def cut(self, refusal: Refusal, block_as: BlockAs) -> bytes:
        """Return what ends the stream so that the official SDK understands it as a block."""

    def failure(self, status: int, code: str, message: str) -> bytes:
        """Return the event that says the stream broke off."""


class Words(Protocol):
    """Whoever can say that something went wrong, so that the sender of the request understands it."""

    def error(self, status: int, code: str, message: str, param: str | None = None) -> JsonObject:
        """Return an error in the shape that the dialect's SDKs read."""


@runtime_checkable
class Codec(Words, Protocol):
    @property
    def name(self) -> str:
        """Which requests it reads: `openai_chat`."""

    @property
    def dialect(self) -> str:
        """Whose dialect that is: `openai`, `anthropic` or `gemini`. Upstreams and mounts go by it."""

    @property
    def vocabulary(self) -> frozenset[str]:
        """The keys that the dialect itself defines; every other key is somebody's text."""

    @property
    def needs_model(self) -> bool:
        """Whether a request without a model is refused. Else the first upstream of the dialect gets it."""

    @property
    def routes_by_model(self) -> bool:
        """Whether the wanted model chooses the upstream. Else the dialect's first one gets what is to be stored for
        later, and a request that names it goes where it was noted.
        """

    @property
    def streams(self) -> bool:
        """Whether an answer may be a stream. Else it is one JSON document, or a failure of the upstream's."""

    def claims(self, method: str, path: str) -> bool:
        """Tell whether this codec reads that request. Where several do, `routing` chooses by dialect."""

    def route(self, target: Target) -> str:
        """Return a claimed request's path as rows keep it: an id, which a client can write, becomes `{response_id}`."""

    def upstream_path(self, target: Target) -> str:
        """Return what follows the upstream's base URL, with what of the query may go there."""

    @property
    def models_path(self) -> str:
        """Where an upstream of the dialect lists its models, the longest page of them there is."""

    def read_body(self, target: Target, raw: bytes, content_type: str) -> JsonObject:
        """Return the request's document, with what the target says and a body says elsewhere (a model).

        Raises EdgeError 400 that says where it is broken, 415.
        """

    def write_body(self, document: JsonObject) -> tuple[bytes, str] | None:
        """Return a document as it goes upstream, and its content type; None where the request has no body."""

    def read_answer(self, raw: bytes, kind: str) -> JsonObject | None:
        """Return the document of a good answer of the type `kind`; of one that is no JSON, what stands for it.

        None where it is none that this endpoint gives: a stream, or nothing that anybody could read.
        """

    def write_answer(self, document: JsonObject) -> tuple[bytes, str]:
        """Return an answer's document as it goes to the client, and its content type."""

    def models(self, target: Target, body: JsonObject) -> tuple[str, ...]:
        """Return every model the request may reach, the wanted one first."""

    def listed_models(self, document: JsonObject) -> list[tuple[str, JsonObject]]:
        """Return the models that an upstream's list names, each with its entry. Raises ValueError for no list."""

    def model_list(self, entries: list[JsonObject]) -> JsonObject:
        """Return the list of models, out of their entries, as the dialect's SDKs read it."""

    def references(self, target: Target, body: JsonObject) -> tuple[Reference, ...]:
        """Return the provider's objects that the request leans on, whose content nobody sees here."""

    def creations(self, answer: JsonObject) -> tuple[Reference, ...]:
        """Return the objects that an answer (or one event of a stream) says it has made at the provider."""

    def streaming(self, target: Target, body: JsonObject) -> bool: ...
    def segments(self, body: Any, direction: Direction) -> Walk:
        """Walk a whole body. Never raises for odd shapes: what is not understood is `unknown` and scanned."""

    def place_canary(self, body: JsonObject, sentence: str) -> None:
        """Put a sentence behind a request's system prompt, in place; do nothing where there is none, as nothing can
        be told of it, or where no model answers.
        """

    def place_preamble(self, body: JsonObject, text: str) -> None:
        """Put a text before a request's system prompt, in place, or make one of it; nothing where no model answers."""

    def with_model(self, target: Target, body: JsonObject, model: str) -> Target | None:
        """Make a request ask for another model, in place; return where it goes then, or None if it names none."""

    def usage(self, body: JsonObject) -> Usage: ...
    def credential(self, headers: Headers, query: str) -> str | None:
        """Return the key in the dialect's own header, or in the query where the dialect puts it there."""

    def own_credential(self, headers: Headers, query: str) -> dict[str, str]:
        """Return the client's `credential` as it goes upstream, in the header that it came in: to a provider an OAuth
        token is no API key. Empty where there is none.
        """

    def credential_headers(self, credential: str) -> dict[str, str]:
        """Return the headers that carry a credential of ours to the upstream."""

    def forwarded(self, headers: Headers) -> dict[str, str]:
        """Return those of the client's headers that the dialect needs upstream (versions, beta flags)."""

    def stream(self, target: Target) -> StreamReader: ...
    def refusal(self, refusal: Refusal) -> JsonObject:
        """Return the body of a 400 that says the request, or the answer, was blocked."""

    def blocked_answer(self, refusal: Refusal, block_as: BlockAs, answer: JsonObject) -> JsonObject:
        """Return the answer that says so within the dialect (`content_filter` or `refusal`), status 200."""

    @property
    def layout(self) -> Layout:
        """Where in an answer texts stand that are said to somebody, and the arguments of calls."""

    def without_copies(self, answer: JsonObject) -> None:
        """Drop from an answer, in place, what repeats text that was just changed (logprobs)."""

    def param(self, pointer: str) -> str:
        """Return a JSON Pointer as the dialect writes places: `messages[3].content`."""


@runtime_checkable
class OpenedOnly(Protocol):
    """What a codec is besides that reads only what a policy opens: it claims nothing, and is asked last."""

    def opened(self, route: OpenRoute, words: Codec) -> Codec:
        """Return who reads one request to `route`, with the errors, refusals and keys of `words`."""
