"""Uploads, batches and what comes back: whose they are, what they make, and answers read line by line."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from detectors.errors import EdgeError
from detectors.types import Direction, Span
from policies.types import Edit
from proxy.bodies.pointer import apply_edits
from proxy.codec import Codec, Target
from proxy.providers.openai_batches import CODEC as BATCHES
from proxy.providers.openai_file_content import CODEC as CONTENT
from proxy.providers.openai_files import CODEC as FILES
from proxy.providers.openai_uploads import CODEC as UPLOADS

COMPLETE = Target("POST", "/v1/uploads/upload_1/complete")


def references(codec: Codec, method: str, path: str, body: Any = None) -> set[tuple[str, str]]:
    target = Target(method, path)
    document = codec.read_body(target, orjson.dumps(body) if body else b"", "application/json")
    return {(found.kind, found.id) for found in codec.references(target, document)}


def test_ids_in_paths_and_bodies_are_leant_on() -> None:
    assert references(FILES, "GET", "/v1/files/file-1") == {("file", "file-1")}
    assert references(FILES, "DELETE", "/v1/files/file-1") == {("file", "file-1")}
    assert references(CONTENT, "GET", "/v1/files/file-1/content") == {("file", "file-1")}
    assert references(UPLOADS, "POST", "/v1/uploads/upload_1/cancel") == {("upload", "upload_1")}
    parts = references(UPLOADS, "POST", COMPLETE.path, {"part_ids": ["part_1"]})
    assert parts == {("upload", "upload_1"), ("upload_part", "part_1")}
    assert references(BATCHES, "POST", "/v1/batches", {"input_file_id": "file-1"}) == {("file", "file-1")}
    assert references(BATCHES, "POST", "/v1/batches/batch_1/cancel") == {("batch", "batch_1")}


@pytest.mark.parametrize(
    "path", ["/v1/files", "/v1/batches", "/v1/files/", "/v1/uploads", "/v1/files/a%2Fb", "/v1/files/a b"]
)
def test_lists_of_an_account_that_all_share_are_read_by_nobody(path: str) -> None:
    assert not any(codec.claims("GET", path) for codec in (FILES, CONTENT, UPLOADS, BATCHES))


@pytest.mark.parametrize("parts", [["a", "b"], ["a", "a"], "ab", {"0": "a", "1": "b"}, [["a", "b"]], None])
def test_an_upload_of_anything_but_one_part_is_refused(parts: Any) -> None:
    with pytest.raises(EdgeError) as caught:
        UPLOADS.read_body(COMPLETE, orjson.dumps({"part_ids": parts}), "application/json")
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "several_parts", "part_ids")


def test_the_name_in_a_path_is_read_and_not_sent_in_the_body() -> None:
    document = UPLOADS.read_body(COMPLETE, b'{"part_ids":["part_1"],"md5":null}', "application/json")
    assert "upload_1" in {segment.text for segment in UPLOADS.segments(document, Direction.REQUEST).segments}
    assert UPLOADS.write_body(document) == (b'{"part_ids":["part_1"],"md5":null}', "application/json")


def test_rows_and_policies_know_a_path_without_the_id_that_a_client_wrote() -> None:
    assert UPLOADS.route(COMPLETE) == "/v1/uploads/{upload_id}/complete"
    assert CONTENT.route(Target("GET", "/v1/files/file-1/content")) == "/v1/files/{file_id}/content"


@pytest.mark.parametrize(
    ("answer", "made"),
    [
        ({"object": "file", "id": "file-1"}, {("file", "file-1")}),
        ({"object": "file", "id": "file-1", "deleted": True}, set()),
        ({"object": "upload.part", "id": "part_1"}, {("upload_part", "part_1")}),
        ({"object": "upload", "id": "u", "file": {"object": "file", "id": "f"}}, {("upload", "u"), ("file", "f")}),
        ({"object": "upload", "id": "u", "file": None}, {("upload", "u")}),
        (
            {"object": "batch", "id": "b", "input_file_id": "i", "output_file_id": "o", "error_file_id": None},
            {("batch", "b"), ("file", "o")},
        ),
        ({"object": "list", "data": [{"object": "file", "id": "file-1"}]}, set()),
    ],
)
def test_what_an_answer_says_was_made_is_its_tenants(answer: Any, made: set[tuple[str, str]]) -> None:
    assert {(found.kind, found.id) for found in BATCHES.creations(answer)} == made


def test_the_lines_of_an_output_are_answers_that_are_edited_where_they_stand() -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "anna@example.org"}, "finish_reason": "stop"}
    tokens = [{"token": "anna@example.org", "logprob": -1.5, "bytes": None, "top_logprobs": []}]
    chat = {"object": "chat.completion", "id": "c", "choices": [choice | {"logprobs": {"content": tokens}}]}
    response = {"object": "response", "id": "resp_1", "output": []}
    lines = [
        {"custom_id": name, "response": {"status_code": 200, "body": b}} for name, b in (("1", chat), ("2", response))
    ]
    raw = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    document = CONTENT.read_answer(raw, "application/octet-stream")
    assert document is not None
    place = "/lines/0/response/body/choices/0/message/content"
    assert place in {segment.pointer for segment in CONTENT.segments(document, Direction.RESPONSE).segments}

    apply_edits(document, [Edit(place, Span(0, 16), "[EMAIL]")])
    CONTENT.without_copies(document)
    written, kind = CONTENT.write_answer(document)
    assert b"anna" not in written
    assert (written.count(b"\n"), kind) == (2, "application/x-jsonl")


def test_a_file_cannot_claim_for_its_tenant_what_another_has_made() -> None:
    line = {"response": {"body": {"object": "response", "id": "resp_of_another", "output": []}}}
    for stolen in (line, {"object": "file", "id": "file-of-another"}, {"object": "batch", "output_file_id": "file-9"}):
        document = CONTENT.read_answer(orjson.dumps(stolen), "application/json")
        assert document is not None
        assert CONTENT.creations(document) == ()


def test_a_text_that_begins_like_a_stream_is_still_a_text() -> None:
    document = CONTENT.read_answer(b"data: one\nid: two\n", "application/octet-stream")
    assert document == {"text": "data: one\nid: two\n"}
