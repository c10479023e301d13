"""OpenAI moderations: what is asked is read, and the scores are not."""

from __future__ import annotations

from detectors.types import Direction, Origin
from proxy.bodies.json_document import parse
from proxy.providers.openai_moderations import CODEC
from tests.contracts.targets import TARGETS


def test_texts_and_parts_are_the_users_and_an_input_is_one_message() -> None:
    body = {"input": ["one", {"type": "text", "text": "two"}]}
    walk = CODEC.segments(body, Direction.REQUEST)

    assert [(s.text, s.origin) for s in walk.segments] == [("one", Origin.USER), ("two", Origin.USER)]
    assert [len(message) for message in walk.messages] == [2]


def test_scores_and_kinds_of_input_are_skipped_and_counted() -> None:
    raw = b'{"results": [{"flagged": true, "categories": {"hate": true}, "category_scores": {"hate": 1.2e-7},'
    raw += b'"category_applied_input_types": {"hate": ["text", "image"]}}]}'
    walk = CODEC.segments(parse(raw), Direction.RESPONSE)

    assert walk.segments == []
    assert (walk.skipped["scores"], walk.skipped["answer_facts"]) == (1, 2)


def test_a_number_that_is_no_score_is_read() -> None:
    body = {"results": [{"category_scores": {"hate": 4111111111111111}}]}

    assert [s.text for s in CODEC.segments(body, Direction.RESPONSE).segments] == ["4111111111111111"]


def test_a_request_without_a_model_names_none() -> None:
    assert CODEC.models(TARGETS[CODEC.name], {"input": "x"}) == ()
