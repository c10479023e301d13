"""Files to keep: whatever a file is said to be for, a request in it is read, and held, as if it came alone."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from detectors.errors import EdgeError
from detectors.types import Direction, Origin, Span, Unscanned
from policies.types import Edit
from proxy.bodies.jsonl import MOST_LINES
from proxy.bodies.pointer import apply_edits
from proxy.bodies.walk import Walk
from proxy.codec import Codec, JsonObject, Reference, Target
from proxy.providers._openai_batch import READERS
from proxy.providers._openai_multipart import Part, read_form, write_form
from proxy.providers.openai_files import CODEC
from proxy.providers.openai_upload_parts import CODEC as PARTS
from tests.contracts.targets import TARGETS
from tests.planted import SURFACES

TARGET = TARGETS[CODEC.name]
CHAT: JsonObject = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Capital of France?"}]}
LINE: JsonObject = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": CHAT}
PDF = b"%PDF-1.7\n\xff\xfe\x00\x01"


def read(*lines: Any, purpose: str = "assistants", name: str = "a.bin", codec: Codec = CODEC) -> JsonObject:
    data = b"\n".join(line if isinstance(line, bytes) else orjson.dumps(line) for line in lines)
    field = "file" if codec is CODEC else "data"
    parts = [Part("purpose", purpose.encode()), Part(field, data, name, "application/octet-stream")]
    return codec.read_body(TARGETS[codec.name], *write_form(parts))


def walked(document: JsonObject) -> Walk:
    return CODEC.segments(document, Direction.REQUEST)


def sent(document: JsonObject) -> bytes:
    content = CODEC.write_body(document)
    assert content is not None
    return next(part.data for part in read_form(*content) if part.name == "file")


def codec_at(name: str) -> Codec:
    return next(codec for codec in READERS if codec.name == name)


@pytest.mark.parametrize("name", ["openai_chat", "openai_responses", "openai_embeddings", "openai_completions"])
def test_a_request_in_a_file_is_read_as_it_is_when_it_comes_alone(name: str) -> None:
    surface = SURFACES[name]
    body = {**surface.body, "model": "gpt-4o"}
    alone = codec_at(name).segments(body, Direction.REQUEST)
    walk = walked(read({**LINE, "url": surface.path, "body": body}))

    below = "/file/lines/0/body"
    inside = [(s.origin, s.place, s.pointer.removeprefix(below), s.text) for s in walk.segments if below in s.pointer]
    assert inside == [(s.origin, s.place, s.pointer, s.text) for s in alone.segments]
    assert [len(message) for message in walk.messages] == [len(message) for message in alone.messages]


@pytest.mark.parametrize("purpose", ["batch", "assistants", "user_data"])
@pytest.mark.parametrize("name", ["in.jsonl", "in.txt", "in"])
def test_every_model_of_every_line_is_named(purpose: str, name: str) -> None:
    second = {**LINE, "body": {**CHAT, "model": "gpt-5", "models": ["o9"]}}
    assert CODEC.models(TARGET, read(LINE, second, purpose=purpose, name=name)) == ("gpt-4o", "gpt-5", "o9")


def test_what_the_lines_lean_on_is_named_with_its_place() -> None:
    body = {"model": "m", "input": [{"type": "input_file", "file_id": "file-9"}], "previous_response_id": "resp_9"}
    assert set(CODEC.references(TARGET, read({**LINE, "url": "/v1/responses", "body": body}))) == {
        Reference("response", "resp_9", "/file/lines/0/body/previous_response_id"),
        Reference("file", "file-9", "/file/lines/0/body/input/0/file_id"),
    }


@pytest.mark.parametrize(
    "line",
    [
        {**LINE, "url": "/v1/unknown"},
        {**LINE, "url": "/v1/chat/completions?a=b"},
        {**LINE, "url": 7},
        {**LINE, "method": "GET"},
        {"url": "/v1/files", "body": {}},
        {"custom_id": "1", "body": CHAT},
        {**LINE, "body": {"messages": []}},
    ],
)
def test_a_request_that_nobody_reads_is_refused_whatever_the_file_is_for(line: Any) -> None:
    with pytest.raises(EdgeError) as caught:
        read(LINE, line)
    assert (caught.value.status, caught.value.param) == (400, "file")
    assert caught.value.message.startswith("Line 2 ")


@pytest.mark.parametrize("line", [b"plain text", {"messages": []}, b'{"custom_id": "1",', b'{"a":"\\ud800"}', [1]])
def test_a_batch_holds_nothing_but_requests(line: Any) -> None:
    with pytest.raises(EdgeError):
        read(LINE, line, purpose="batch")
    assert len(walked(read(LINE, line)).segments) > 0


@pytest.mark.parametrize("before", [b"junk\x0b", b"\xc2\x85", b"{\x1e ", "a\u2028".encode()])
def test_a_request_does_not_hide_behind_what_only_some_take_for_the_end_of_a_line(before: bytes) -> None:
    with pytest.raises(EdgeError):
        read(LINE, before + orjson.dumps(LINE))
    with pytest.raises(EdgeError):
        read(b"\n" * MOST_LINES, before + orjson.dumps(LINE))
    assert read(LINE, before + b'{"no": "request at all"}')


@pytest.mark.parametrize(
    ("strict", "generous"), [("hi", "\\ud800"), ('"hi"', "NaN"), ('"hi"', "[" * 80 + "]" * 80), ("hi", "\t")]
)
def test_a_request_does_not_hide_in_what_only_some_take_for_json(strict: str, generous: str) -> None:
    line = orjson.dumps({**LINE, "custom_id": "hi"}).decode()
    with pytest.raises(EdgeError):
        read(line.replace(strict, generous).encode())


def test_a_file_of_more_documents_than_anybody_may_send_is_refused_and_a_long_text_is_not() -> None:
    with pytest.raises(EdgeError):
        read(b"[]\n" * MOST_LINES, name="a.jsonl")
    assert "text" in read(b"line\n" * MOST_LINES)["file"]


@pytest.mark.parametrize("purpose", ["batch", "assistants"])
def test_a_request_does_not_hide_in_bytes_that_are_no_text(purpose: str) -> None:
    with pytest.raises(EdgeError):
        read(PDF, LINE, purpose=purpose)


def test_bytes_are_for_the_policy_to_let_pass_and_are_sent_as_they_came() -> None:
    document = read(PDF)
    assert walked(document).unscanned == {Unscanned.MEDIA: 1}
    assert sent(document) == PDF


def test_a_mask_is_written_into_its_line_and_the_file_keeps_its_size() -> None:
    padded = b'{ "url": "/v1/embeddings", "body": { "model": "m", "input": "anna@example.org", "n": 1.10 } }'
    document = read(padded, b"", purpose="batch")
    assert len(sent(document)) == len(padded) + 1
    apply_edits(document, [Edit("/file/lines/0/body/input", Span(0, 16), "[EMAIL]")])

    written = sent(document)
    assert orjson.loads(written)["body"]["input"] == "[EMAIL]"
    assert b'"n":1.10}' in written
    assert len(written) == len(padded) + 1


def test_text_that_is_no_lines_of_documents_is_sent_byte_for_byte() -> None:
    text = b"# A title\r\n\r\n{ not: json }\n"
    document = read(text, name="a.md")
    assert [(s.origin, s.text) for s in walked(document).segments][-1] == (Origin.TOOL, text.decode())
    assert sent(document) == text


def test_a_part_of_an_upload_is_read_as_a_file_is_and_names_its_upload() -> None:
    target = Target("POST", "/v1/uploads/upload_7/parts")
    raw, kind = write_form([Part("data", orjson.dumps(LINE), "upload", "application/octet-stream")])
    document = PARTS.read_body(target, raw, kind)

    assert PARTS.models(target, document) == ("gpt-4o",)
    assert PARTS.references(target, document) == (Reference("upload", "upload_7", "/upload_id"),)
    written = PARTS.write_body(document)
    assert written is not None
    assert [(part.name, orjson.loads(part.data)) for part in read_form(*written)] == [("data", LINE)]


@pytest.mark.parametrize(
    "parts", [[], [Part("file", b"text of a field")], [Part("other", b"x", "a.txt", "text/plain")]]
)
def test_a_form_without_its_file_is_refused(parts: list[Part]) -> None:
    with pytest.raises(EdgeError):
        CODEC.read_body(TARGET, *write_form([Part("purpose", b"batch"), *parts]))
