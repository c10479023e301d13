"""What is read of JSON that nobody knows: everything, and what of it leans on something is known by its key."""

from __future__ import annotations

import pytest

from detectors.errors import EdgeError
from detectors.types import Direction, Origin, Place, Unscanned
from policies.routes import OpenRoute
from proxy.codec import Codec, JsonObject, Reference, Target
from proxy.providers.anthropic_messages import CODEC as ANTHROPIC
from proxy.providers.generic import CODEC, GenericJson
from proxy.providers.openai_chat import CODEC as OPENAI

COLLECTION = OpenRoute("/v1/rankings", frozenset({"POST"}), "openai")
OBJECT = OpenRoute("/v1/rankings/{ranking_id}", frozenset({"POST", "GET"}), "openai")
GET_ONE = Target("GET", "/v1/rankings/rank_1")


def reading(route: OpenRoute, words: Codec = OPENAI) -> Codec:
    return GenericJson().opened(route, words)


def test_until_something_is_opened_it_reads_nothing() -> None:
    assert not CODEC.claims("POST", "/v1/rankings")
    assert reading(COLLECTION).claims("POST", "/v1/rankings")
    assert not reading(COLLECTION).claims("GET", "/v1/rankings")


def test_every_word_of_it_is_a_strangers() -> None:
    body = {"model": "m", "messages": [{"role": "system", "content": "Hi"}], "n": 12345678, "x": [True, None, ""]}
    segments = reading(COLLECTION).segments(body, Direction.REQUEST).segments
    assert {segment.origin for segment in segments} == {Origin.UNKNOWN}
    values = [segment.text for segment in segments if segment.place is not Place.KEY]
    assert values == ["m", "system", "Hi", "12345678"]
    assert len(segments) == len(values) + 6


@pytest.mark.parametrize("key", ["prompt", "prompt_token_ids", "inputIds", "tokens"])
def test_a_prompt_in_numbers_is_one_that_nobody_can_read(key: str) -> None:
    codec = reading(COLLECTION)
    asked = {"requests": [{key: [[1, 2]]}]}
    assert codec.segments(asked, Direction.REQUEST).unscanned == {Unscanned.TOKEN_IDS: 1}
    assert codec.segments(asked, Direction.RESPONSE).unscanned == {}
    assert codec.segments({key: "words", "top_n": [3]}, Direction.REQUEST).unscanned == {}


def test_an_id_in_the_path_is_read_and_not_sent_in_the_body() -> None:
    codec = reading(OBJECT)
    body = codec.read_body(GET_ONE, b"", "")
    (segment,) = codec.segments(body, Direction.REQUEST).segments
    assert (segment.place, segment.text) == (Place.KEY, "rank_1")
    assert codec.write_body(body) is None
    assert codec.references(GET_ONE, body) == (Reference("object", GET_ONE.path),)
    assert codec.upstream_path(GET_ONE) == "/rankings/rank_1"


def test_a_get_brings_no_body_and_a_post_its_own() -> None:
    codec = reading(OBJECT)
    with pytest.raises(EdgeError, match="400"):
        codec.read_body(GET_ONE, b"{}", "")
    body = codec.read_body(Target("POST", GET_ONE.path), b'{"a": 1, "{id}": "mine"}', "")
    assert codec.write_body(body) == (b'{"a":1}', "application/json")


@pytest.mark.parametrize(
    ("body", "references"),
    [
        ({"file_id": "file-1"}, [Reference("file", "file-1", "/file_id")]),
        ({"file_ids": ["a", "b"]}, [Reference("file", "a", "/file_ids/0"), Reference("file", "b", "/file_ids/1")]),
        ({"conversation": {"id": "c"}}, [Reference("conversation", "c", "/conversation/id")]),
        ({"x": [{"cachedContent": "c"}]}, [Reference("cached_content", "c", "/x/0/cachedContent")]),
        ({"thread_id": 5}, [Reference("thread", "5", "/thread_id")]),
        ({"prompt": {"id": "p", "variables": {"file-id": "f"}}}, [
            Reference("prompt", "p", "/prompt/id"), Reference("file", "f", "/prompt/variables/file-id"),
        ]),
        ({"prompt": "Say hello.", "file_id": None, "run_id": "", "skill_id": False}, []),
    ],
)  # fmt: skip
def test_ids_are_known_by_the_keys_they_stand_under(body: JsonObject, references: list[Reference]) -> None:
    assert list(reading(COLLECTION).references(Target("POST", "/v1/rankings"), body)) == references


def test_only_a_collection_makes_objects_and_only_such_as_were_not_named() -> None:
    made: JsonObject = {"id": "rank_1"}
    collection, one = reading(COLLECTION), reading(OBJECT)
    assert collection.creations(made) == ()
    for codec in (collection, one):
        codec.segments({"name": "x"}, Direction.REQUEST)
    assert collection.creations(made) == (Reference("object", "/v1/rankings/rank_1", "/id"),)
    assert one.creations(made) == ()
    collection.segments({"name": "xRANK_1"}, Direction.REQUEST)
    assert collection.creations(made) == ()
    assert collection.creations({"id": 7}) == ()


def test_a_request_of_which_something_went_unread_makes_nothing() -> None:
    codec = reading(COLLECTION)
    codec.segments({"tokens": [1]}, Direction.REQUEST)
    assert codec.creations({"id": "rank_1"}) == ()


def test_keys_and_errors_are_those_of_the_dialect() -> None:
    codec = reading(OpenRoute("/v1/complete", frozenset({"POST"}), "anthropic"), ANTHROPIC)
    assert codec.dialect == "anthropic"
    assert codec.error(404, "c", "M.") == ANTHROPIC.error(404, "c", "M.")
    assert codec.credential_headers("k") == {"x-api-key": "k"}
    assert codec.forwarded({}) == {"anthropic-version": "2023-06-01"}
