"""What every codec must keep, whatever dialect it speaks: all discovered codecs over any JSON at all."""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import proxy.providers
from detectors.canary import canary_of, canary_sentence, without_sentence
from detectors.discovery import discover
from detectors.errors import EdgeError
from detectors.types import Coverage, Direction, Origin, Place, Span
from policies.routes import why_closed
from policies.types import ActionName, BlockAs, Disclose, Edit, Effect, StopReason, Verdict
from proxy.bodies.json_document import JsonError, NumberToken, dump, parse
from proxy.bodies.pointer import apply_edits, escape, resolve
from proxy.bodies.walk import LONG_INTEGER
from proxy.codec import Codec, OpenedOnly, Refusal, StreamReader
from proxy.providers.openai_chat import CODEC as OPENAI
from proxy.pseudonyms.restorable import SPOKEN
from proxy.streams.sse import SseParser
from tests.contracts.targets import FURTHER, ROUTE, TARGETS

OFFERED = discover(proxy.providers, "CODEC", Codec)  # type: ignore[type-abstract]
CODECS = tuple(codec.opened(ROUTE, OPENAI) if isinstance(codec, OpenedOnly) else codec for codec in OFFERED)
WORDS = sorted({word for codec in CODECS for word in codec.vocabulary})
KEYS = st.sampled_from(WORDS) | st.text("ab/~0 é", max_size=4)
TYPES = [
    "thinking", "redacted_thinking", "tool_result", "document", "base64", "image/png", "iVBORw0KGgoA", "text_delta",
    "signature_delta", "message_start", "content_block_start", "content_block_delta", "content_block_stop",
    "transcript.text.delta", "transcript.text.done", "speech.audio.delta", "image_generation.completed",
]  # fmt: skip
TEXTS = st.sampled_from(
    [*WORDS[:20], "user", "assistant", "tool", "text", "data:image/png;base64,iVBORw0KGgo=", *TYPES]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(-1e6, 1e6) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
# A conversation as it should be, with anything at all in one or two places of it.
PART = st.fixed_dictionaries(
    {"type": TEXTS},
    optional={
        **dict.fromkeys(("text", "image_url", "input_audio", "file", "content", "thinking", "signature"), JSON),
        "source": JSON | st.fixed_dictionaries({"type": TEXTS, "media_type": TEXTS, "data": TEXTS}),
    },
)
MESSAGE = JSON | st.fixed_dictionaries(
    {"role": TEXTS, "content": JSON | st.lists(PART, max_size=2)}, optional={"name": JSON}
)
REQUEST = st.fixed_dictionaries(
    {"model": TEXTS | JSON, "messages": st.lists(MESSAGE, max_size=3) | JSON},
    optional={"models": JSON, "tools": JSON, "user": JSON, "prompt": JSON, "stop": JSON, "system": JSON},
)
CHOICE = st.fixed_dictionaries(
    {}, optional={"index": JSON, "message": JSON, "delta": JSON, "finish_reason": JSON, "text": JSON}
)
ANSWER = st.fixed_dictionaries(
    {"choices": st.lists(CHOICE | JSON, max_size=2) | JSON},
    optional={"id": JSON, "usage": JSON, "model": JSON, "error": JSON},
)
EVENT = st.fixed_dictionaries(
    {"type": TEXTS},
    optional={"index": JSON, "delta": PART | JSON, "content_block": PART, "message": JSON, "usage": JSON},
)
ENTRY = JSON | st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("embedding", "b64_json", "revised_prompt", "word", "start", "categories", "file_id"), JSON),
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("data", "results", "words", "segments", "images"), st.lists(ENTRY, max_size=2) | JSON),
        **dict.fromkeys(("text", "input", "file", "b64_json", "audio", "duration"), JSON),
    },
)
BLOB = JSON | st.fixed_dictionaries({"mimeType": TEXTS, "data": TEXTS | st.just("iVBORw0KGgoAAAANSUhE")})
CALL = st.dictionaries(KEYS, JSON, max_size=3)
PARTS = st.lists(
    JSON
    | st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("text", "thought", "thoughtSignature", "thought_signature", "unheard_of"), JSON),
            **dict.fromkeys(("functionCall", "function_response", "executableCode", "codeExecutionResult"), CALL),
            **dict.fromkeys(("inlineData", "inline_data"), BLOB),
        },
    ),
    max_size=2,
)
CONTENT = JSON | st.fixed_dictionaries({"parts": PARTS}, optional={"role": TEXTS})
CANDIDATE = JSON | st.fixed_dictionaries(
    {"content": CONTENT}, optional=dict.fromkeys(("index", "finishReason", "safetyRatings", "logprobsResult"), JSON)
)
CONTENTS = st.fixed_dictionaries(
    {},
    optional={
        "contents": CONTENT | st.lists(CONTENT, max_size=2),
        **dict.fromkeys(("content", "systemInstruction", "system_instruction"), CONTENT),
        **dict.fromkeys(("generationConfig", "safetySettings", "model"), JSON),
        "requests": JSON | st.lists(st.fixed_dictionaries({"content": CONTENT}, optional={"model": JSON}), max_size=2),
        "candidates": JSON | st.lists(CANDIDATE, max_size=2),
        "embeddings": JSON | st.lists(st.fixed_dictionaries({"values": JSON}), max_size=2),
    },
)
# The Responses API: items in, a response object out, and events that repeat either.
ITEM = JSON | st.fixed_dictionaries(
    {"type": TEXTS | st.sampled_from(["message", "reasoning", "function_call", "mcp_call", "item_reference"])},
    optional={
        "content": st.lists(PART, max_size=2) | JSON,
        **dict.fromkeys(("id", "role", "arguments", "output", "summary", "encrypted_content", "result"), JSON),
    },
)
RESPONSE = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("input", "output"), st.lists(ITEM, max_size=2) | JSON),
        **dict.fromkeys(("instructions", "prompt", "tools", "conversation", "output_text", "metadata", "id"), JSON),
    },
)
RESPONSE_TYPES = [
    "output_text.delta", "output_text.done", "refusal.delta", "function_call_arguments.delta", "unheard_of.delta",
    "shell_call_command.added", "shell_call_output_content.delta", "audio.delta", "content_part.added",
    "content_part.done", "output_item.added", "output_item.done", "created", "completed", "failed",
    "output_text.annotation.added", "image_generation_call.partial_image",
]  # fmt: skip
RESPONSE_EVENT = st.fixed_dictionaries(
    {"type": st.sampled_from(RESPONSE_TYPES).map("response.{}".format)},
    optional={
        "item": ITEM,
        "part": PART,
        "response": RESPONSE,
        "delta": TEXTS | JSON,
        **dict.fromkeys(("output_index", "content_index", "command_index"), st.integers(0, 3) | JSON),
        **dict.fromkeys(("item_id", "text", "arguments", "command", "annotation", "sequence_number", "logprobs"), JSON),
    },
)
# Requests and answers inside of others: the lines of files, and batches of messages.
URLS = st.sampled_from(["/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/unknown"])
LINE = JSON | st.fixed_dictionaries(
    {"body": REQUEST | RESPONSE | JSON, "url": URLS | JSON}, optional={"custom_id": JSON, "method": st.just("POST")}
)
RESULT = JSON | st.fixed_dictionaries(
    {"response": st.fixed_dictionaries({"body": ANSWER | RESPONSE | ENTRIES | JSON}, optional={"request_id": JSON})},
    optional={"custom_id": JSON, "id": JSON, "error": JSON},
)
LINES = st.lists(LINE | RESULT, max_size=2)
BATCH = st.fixed_dictionaries(
    {},
    optional={
        "lines": LINES | st.lists(st.fixed_dictionaries({"result": st.fixed_dictionaries({"message": EVENT | JSON})})),
        "file": st.fixed_dictionaries({"lines": LINES | JSON}, optional={"filename": JSON}),
        "requests": st.lists(JSON | st.fixed_dictionaries({"params": REQUEST | JSON}), max_size=2) | JSON,
        **dict.fromkeys(("id", "object", "part_ids", "request_counts", "results_url", "purpose"), JSON),
    },
)
BODY = (
    BATCH
    | RESPONSE
    | RESPONSE_EVENT
    | REQUEST
    | ANSWER
    | EVENT
    | ENTRIES
    | CONTENTS
    | st.dictionaries(KEYS, JSON, max_size=5)
)

CANARY = canary_sentence(canary_of(b"k" * 32))
MARKER = '["MARKER"]'  # is JSON itself, because a text that is JSON may become nothing else
# What may go unread: identifiers and flags, and media that was counted.
NO_TEXT = re.compile(r"[A-Za-z0-9._:/+-]{0,128}|data:image/png;base64,.*")

# Requests that are a form and nothing else, and those that have no body.
FORMS_ONLY = {"openai_files", "openai_upload_parts"}
BODILESS = {
    "openai_response_by_id", "openai_conversation_by_id", "openai_file_content", "anthropic_batch_results",
}  # fmt: skip

every_codec = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)


def asked_of_every_codec(*, both_directions: bool = False, **drawn: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    """Draw once and ask each codec in turn: to make up a body costs ten times what reading it does."""

    def decorate(check: Callable[..., None]) -> Callable[[], None]:
        @settings(max_examples=20)
        @given(**drawn)
        def test(**values: Any) -> None:
            for codec, direction in product(CODECS, Direction if both_directions else [None]):
                asked = copy.deepcopy(values) | ({} if direction is None else {"direction": direction})
                try:
                    check(codec, **asked)
                except Exception as exc:
                    exc.add_note(f"asked of {codec.name} {direction or ''}")
                    raise

        test.__name__ = test.__qualname__ = check.__name__
        return test

    return decorate


def texts_of(value: Any, pointer: str = "") -> Iterator[tuple[Place, str]]:
    """Every string, key and long integer of a document, found without any codec's help."""
    if isinstance(value, str):
        yield from [(Place.VALUE, pointer)] if value else ()
    elif isinstance(value, NumberToken) or (isinstance(value, int | float) and abs(value) >= LONG_INTEGER):
        yield Place.NUMBER, pointer
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from texts_of(child, f"{pointer}/{index}")
    elif isinstance(value, dict):
        for key, child in value.items():
            below = f"{pointer}/{escape(key)}"
            yield from [(Place.KEY, below)] if key else ()
            yield from texts_of(child, below)


def test_there_are_codecs_to_check() -> None:
    assert len(CODECS) > 0
    assert {codec.name for codec in CODECS} == TARGETS.keys()


@every_codec
def test_a_codec_claims_its_own_request_and_names_a_path_for_the_upstream(codec: Codec) -> None:
    for target in (TARGETS[codec.name], *FURTHER.get(codec.name, ())):
        assert codec.claims(target.method, target.path)
        assert codec.upstream_path(target).startswith("/")
        assert codec.route(target).startswith("/")


@pytest.mark.parametrize("codec", OFFERED, ids=lambda codec: codec.name)
def test_what_a_codec_reads_no_policy_can_open_besides(codec: Codec) -> None:
    for target in (TARGETS[codec.name], *FURTHER.get(codec.name, ())):
        if isinstance(codec, OpenedOnly):
            assert not codec.claims(target.method, target.path)
            assert why_closed(target.path, ["POST"]) is None
        else:
            assert why_closed(target.path, ["POST"]) is not None


@asked_of_every_codec(body=st.dictionaries(KEYS, JSON, max_size=5))
def test_a_body_that_is_written_can_be_read_again(codec: Codec, body: Any) -> None:
    if codec.name == "openai_uploads":  # which takes the list of one id and nothing else under that name
        body.pop("part_ids", None)
    content = codec.write_body(body)
    assert content is not None
    if codec.name in FORMS_ONLY:
        with pytest.raises(EdgeError):
            codec.read_body(TARGETS[codec.name], *content)
    elif codec.name not in BODILESS:
        read = codec.read_body(TARGETS[codec.name], *content)
        assert {key: read[key] for key in body} == parse(dump(body))


@every_codec
def test_a_body_where_none_belongs_is_refused_not_dropped(codec: Codec) -> None:
    for target in (TARGETS[codec.name], *FURTHER.get(codec.name, ())):
        if codec.name in BODILESS or target.method != "POST" or target.path.endswith("/cancel"):
            assert codec.write_body(codec.read_body(target, b"", "")) is None
            with pytest.raises(EdgeError) as refused:
                codec.read_body(target, b'{"a": 1}', "application/json")
            assert (refused.value.status, refused.value.code) == (400, "invalid_body")


@asked_of_every_codec(both_directions=True, body=BODY)
def test_every_text_of_any_body_is_a_segment_or_counted_as_skipped(
    codec: Codec, direction: Direction, body: Any
) -> None:
    walk = codec.segments(body, direction)
    read = {(segment.place, segment.pointer) for segment in walk.segments}
    unread = set(texts_of(body)) - read

    assert len(read) == len(walk.segments)
    assert len(unread) <= sum(walk.skipped.values()) + sum(walk.unscanned.values())
    assert all(pointer.rpartition("/")[2] in codec.vocabulary for place, pointer in unread if place is Place.KEY)
    values = {resolve(body, pointer) for place, pointer in unread if place is Place.VALUE}
    assert all(NO_TEXT.fullmatch(value) for value in values - set(codec.models(TARGETS[codec.name], body)))


@asked_of_every_codec(both_directions=True, body=BODY)
def test_every_segment_is_what_stands_at_its_pointer(codec: Codec, direction: Direction, body: Any) -> None:
    for segment in codec.segments(body, direction).segments:
        value = resolve(body, segment.pointer)
        assert segment.direction is direction
        if segment.place is Place.KEY:
            assert escape(segment.text) == segment.pointer.rpartition("/")[2]
        else:
            assert segment.text == (value if segment.place is Place.VALUE else str(value))


@asked_of_every_codec(both_directions=True, body=BODY)
def test_a_marker_written_through_a_pointer_is_read_back_there(codec: Codec, direction: Direction, body: Any) -> None:
    for segment in codec.segments(body, direction).segments:
        if segment.place is Place.VALUE:
            changed = copy.deepcopy(body)
            apply_edits(changed, [Edit(segment.pointer, Span(0, len(segment.text)), MARKER)])
            again = {s.pointer: s.text for s in codec.segments(changed, direction).segments if s.place is Place.VALUE}
            assert resolve(changed, segment.pointer) == again[segment.pointer] == MARKER


@asked_of_every_codec(body=BODY)
def test_a_canary_is_all_that_is_added_to_a_request(codec: Codec, body: Any) -> None:
    def texts() -> Counter[tuple[Origin, str]]:
        return Counter((s.origin, s.text) for s in codec.segments(body, Direction.REQUEST).segments)

    before = texts()
    codec.place_canary(body, CANARY)
    added, changed = texts() - before, before - texts()
    assert {(origin, without_sentence(text)) for origin, text in added if without_sentence(text)} == set(changed)
    assert all(origin is Origin.SYSTEM and text.endswith(CANARY) for origin, text in added)


@asked_of_every_codec(both_directions=True, body=BODY)
def test_what_is_scanned_is_what_is_sent(codec: Codec, direction: Direction, body: Any) -> None:
    sent = dump(body)
    document = parse(sent)

    assert dump(document) == sent
    assert codec.segments(document, direction).segments == codec.segments(parse(dump(document)), direction).segments


@asked_of_every_codec(body=BODY)
def test_reading_a_body_never_fails_and_never_changes_it(codec: Codec, body: Any) -> None:
    before = copy.deepcopy(body)
    assert all(codec.models(TARGETS[codec.name], body))
    codec.usage(body)
    codec.streaming(TARGETS[codec.name], body)
    for direction in Direction:
        codec.segments(body, direction)
    for holder, key, use in codec.layout.places(body):
        assert use is not SPOKEN or isinstance(holder[key], str)

    assert body == before


@asked_of_every_codec(body=BODY)
def test_an_answer_can_lose_its_copies_and_be_replaced_whatever_its_shape(codec: Codec, body: Any) -> None:
    for block_as in BlockAs:
        blocked = codec.blocked_answer(refusal(), block_as, copy.deepcopy(body))
        said = [s.text for s in codec.segments(blocked, Direction.RESPONSE).segments if s.place is Place.VALUE]
        assert all("blocked" in text or NO_TEXT.fullmatch(text) for text in said)
    codec.without_copies(body)
    dump(body)


def events(raw: bytes) -> list[str]:
    parser = SseParser()
    return [event.data for event in (*parser.feed(raw), *parser.finish())]


def refusal(disclose: Disclose = Disclose.FULL) -> Refusal:
    block, coverage = ActionName.BLOCK, Coverage(scanned=1)
    verdict = Verdict(
        block, block, Effect(stop=True), (), coverage, "acme", "sha256:1", "r", stop_reason=StopReason.FOUND
    )
    return Refusal(verdict, Direction.RESPONSE, disclose, "decision-1")


def pieces_of(reader: StreamReader, data: str) -> list[tuple[str, str]]:
    return [(piece.channel, piece.text) for piece in reader.read("", data).pieces]


@asked_of_every_codec(document=BODY)
def test_text_taken_out_of_an_event_can_be_put_into_one_of_its_own(codec: Codec, document: Any) -> None:
    reader = codec.stream(TARGETS[codec.name])
    frame = reader.read("", dump(document).decode())
    for piece in frame.pieces:
        use = reader.use_of(piece.channel)
        assert use in {None, SPOKEN} or piece.whole
        (alone,) = events(reader.text_event(piece.channel, piece.text))
        again = pieces_of(codec.stream(TARGETS[codec.name]), alone)
        assert [text for _, text in again] == [piece.text]
        if not any(step.isdecimal() for step in piece.channel.split("/")[1:]):
            assert [channel for channel, _ in again] == [piece.channel]


@asked_of_every_codec(document=BODY)
def test_what_is_sent_of_an_event_was_read_but_for_identifiers(codec: Codec, document: Any) -> None:
    reader = codec.stream(TARGETS[codec.name])
    frame = reader.read("", dump(document).decode())
    read = {segment.text for segment in frame.rest.segments}
    sent = [] if frame.bare else [parse(data.encode()) for data in events(reader.write(frame))]

    left = {resolve(event, pointer) for event in sent for place, pointer in texts_of(event) if place is Place.VALUE}
    assert all(NO_TEXT.fullmatch(text) for text in left - read)
    for segment in frame.rest.segments:
        resolve(frame.document, segment.pointer)


@asked_of_every_codec(data=st.text(max_size=30))
def test_data_that_is_no_event_is_an_error_or_nothing_but_never_a_crash(codec: Codec, data: str) -> None:
    try:
        frame = codec.stream(TARGETS[codec.name]).read("", data)
    except JsonError:
        return
    assert frame.bare or frame.last or isinstance(frame.document, dict)


@every_codec
@pytest.mark.parametrize("disclose", Disclose)
@pytest.mark.parametrize("block_as", BlockAs)
def test_a_cut_can_be_read_by_its_own_dialect(codec: Codec, block_as: BlockAs, disclose: Disclose) -> None:
    said = events(codec.stream(TARGETS[codec.name]).cut(refusal(disclose), block_as))

    reader = codec.stream(TARGETS[codec.name])
    frames = [reader.read("", data) for data in said]
    # Where a dialect has no end marker, its reader tells whether the end of the connection is one.
    assert any(frame.failed or frame.last for frame in frames) or reader.finish() is not None
    assert not any(frame.last for frame in frames[:-1])


@every_codec
def test_a_failure_is_told_without_an_end_marker(codec: Codec) -> None:
    (said,) = events(codec.stream(TARGETS[codec.name]).failure(502, "upstream_incomplete", "It broke off."))
    frame = codec.stream(TARGETS[codec.name]).read("", said)

    assert (frame.failed, frame.last) == (True, False)


@every_codec
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 503])
def test_an_error_is_an_object_that_says_code_and_message(codec: Codec, status: int) -> None:
    body = codec.error(status, "the_code", "The message.", "messages[0]")

    assert isinstance(body["error"], dict)
    assert b"The message." in dump(body)


@every_codec
def test_a_credential_is_found_where_it_is_put(codec: Codec) -> None:
    assert codec.credential(codec.credential_headers("sk-abc"), "") == "sk-abc"
    assert codec.credential({}, "") is None


@every_codec
@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "api-key", "x-goog-api-key"])
def test_a_clients_own_credential_leaves_in_the_header_that_it_came_in(codec: Codec, name: str) -> None:
    sent = {name: "Bearer sk-abc" if name == "Authorization" else "sk-abc"}
    assert codec.own_credential(sent, "") == ({} if codec.credential(sent, "") is None else sent)
    assert codec.own_credential({"Authorization": "Bearer sk-abc"}, "") != {}


@every_codec
def test_of_two_credentials_the_one_that_was_looked_at_goes_on(codec: Codec) -> None:
    both = codec.credential_headers("sk-1") | {"Authorization": "Bearer sk-2", "api-key": "sk-3"}
    (sent,) = codec.own_credential(both, "").values()
    assert sent.removeprefix("Bearer ") == codec.credential(both, "")


@every_codec
def test_paths_that_are_nobodys_are_claimed_by_nobody(codec: Codec) -> None:
    for method, path in (("GET", "/"), ("POST", "/v1/unknown"), ("TRACE", "/v1/chat/completions"), ("POST", "")):
        assert not codec.claims(method, path)
