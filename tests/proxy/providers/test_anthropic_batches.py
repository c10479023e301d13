"""Batches of messages: each request and each result read as it is when it comes alone, and no URL past the firewall."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from detectors.errors import EdgeError
from detectors.types import Direction, Span
from policies.types import Edit
from proxy.bodies.pointer import apply_edits
from proxy.codec import Reference, Target
from proxy.providers.anthropic_batch_results import CODEC as RESULTS
from proxy.providers.anthropic_batches import CODEC
from proxy.providers.anthropic_messages import CODEC as MESSAGES
from tests.contracts.targets import TARGETS
from tests.planted import SURFACES

TARGET = TARGETS[CODEC.name]
PARAMS = SURFACES[MESSAGES.name].body


def test_a_request_of_a_batch_is_read_as_it_is_when_it_comes_alone() -> None:
    walk = CODEC.segments({"requests": [{"custom_id": "1", "params": PARAMS}]}, Direction.REQUEST)
    alone = MESSAGES.segments(PARAMS, Direction.REQUEST)

    below = "/requests/0/params"
    inside = [(s.origin, s.place, s.pointer.removeprefix(below), s.text) for s in walk.segments if below in s.pointer]
    assert inside == [(s.origin, s.place, s.pointer, s.text) for s in alone.segments]
    assert len(walk.messages) == len(alone.messages)


def test_every_model_and_everything_leant_on_is_named() -> None:
    file = {"type": "document", "source": {"type": "file", "file_id": "file_9"}}
    params = {"model": "b", "messages": [{"role": "user", "content": [file]}], "fallbacks": [{"model": "c"}]}
    body = {"requests": [{"params": {"model": "a"}}, {"params": params}]}

    assert CODEC.models(TARGET, body) == ("a", "b", "c")
    place = "/requests/1/params/messages/0/content/0/source/file_id"
    assert CODEC.references(TARGET, body) == (Reference("file", "file_9", place),)


def test_a_request_without_a_model_is_refused() -> None:
    with pytest.raises(EdgeError) as caught:
        CODEC.read_body(TARGET, orjson.dumps({"requests": [{"params": {"model": "a"}}, {"params": {}}]}), "")
    assert (caught.value.status, caught.value.param) == (400, "requests[1].params.model")


@pytest.mark.parametrize("path", ["", "/msgbatch_1/cancel", "/msgbatch_1/results"])
def test_lists_and_what_nobody_offers_are_read_by_nobody(path: str) -> None:
    assert not CODEC.claims("GET", f"/v1/messages/batches{path}")


@pytest.mark.parametrize(
    ("answer", "url"),
    [
        ({"id": "msgbatch_1", "results_url": "https://api.anthropic.com/x"}, "/v1/messages/batches/msgbatch_1/results"),
        ({"id": "../x", "results_url": "https://api.anthropic.com/x"}, None),
        ({"id": "msgbatch_1", "results_url": None}, None),
    ],
)
def test_the_results_are_fetched_here_and_nowhere_else(answer: Any, url: str | None) -> None:
    read = CODEC.read_answer(orjson.dumps(answer), "application/json")
    assert read is not None
    assert read["results_url"] == url


def test_a_batch_that_was_made_is_its_tenants() -> None:
    assert CODEC.creations({"type": "message_batch", "id": "msgbatch_1"}) == (Reference("batch", "msgbatch_1"),)
    assert CODEC.creations({"type": "message_batch_deleted", "id": "msgbatch_1"}) == ()
    target = Target("POST", "/v1/messages/batches/msgbatch_1/cancel", "beta=true&x=y")
    named = Reference("batch", "msgbatch_1", "/batch_id")
    assert CODEC.references(target, CODEC.read_body(target, b"", "")) == (named,)
    assert CODEC.upstream_path(target) == "/messages/batches/msgbatch_1/cancel?beta=true"


def test_results_are_messages_that_are_edited_where_they_stand() -> None:
    message = {"type": "message", "content": [{"type": "text", "text": "anna@example.org"}], "container": {"id": "c_1"}}
    line = orjson.dumps({"custom_id": "1", "result": {"type": "succeeded", "message": message}})
    document = RESULTS.read_answer(line + b"\n", "application/binary")
    assert document is not None
    place = "/lines/0/result/message/content/0/text"
    assert place in {segment.pointer for segment in RESULTS.segments(document, Direction.RESPONSE).segments}

    apply_edits(document, [Edit(place, Span(0, 16), "[EMAIL]")])
    assert b"anna" not in RESULTS.write_answer(document)[0]
    assert RESULTS.creations(document) == (Reference("container", "c_1"),)
