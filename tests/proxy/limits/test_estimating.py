"""Tokens before anybody has counted them."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.types import Direction, Origin
from policies.amounts import UNSAID
from proxy.bodies.json_document import NumberToken, parse
from proxy.bodies.walk import Walk
from proxy.limits.estimating import MOST, estimate, size_of, tokens_of


def walk_of(*texts: str) -> Walk:
    walk = Walk(Direction.REQUEST, frozenset())
    for text in texts:
        walk.visit(text, Origin.USER, "/x")
    return walk


@pytest.mark.parametrize(
    ("texts", "tokens"), [([""], 0), (["abc"], 1), (["a" * 400], 100), (["ab", "cd"], 1), (["漢字" * 50], 75)]
)
def test_four_bytes_are_one_token(texts: list[str], tokens: int) -> None:
    assert tokens_of(texts) == tokens


def test_half_a_surrogate_pair_is_three_bytes() -> None:
    assert size_of("\ud800") == 3


@pytest.mark.parametrize(
    ("codec", "body", "completion"),
    [
        ("openai_chat", {}, UNSAID),
        ("openai_chat", {"max_tokens": 50}, 50),
        ("openai_chat", {"max_tokens": 50, "max_completion_tokens": 70, "n": 3}, 210),
        ("openai_chat", {"max_tokens": 50, "n": 10**9}, 50 * 128),
        ("openai_responses", {"max_output_tokens": 9}, 9),
        ("anthropic_messages", {"max_tokens": 1024}, 1024),
        ("gemini_generate", {"generationConfig": {"maxOutputTokens": 8, "candidateCount": 2}}, 16),
        ("openai_chat", {"max_tokens": "50"}, 50),
        ("openai_chat", {"max_tokens": "fifty"}, UNSAID),
        ("openai_chat", {"max_tokens": "nan"}, UNSAID),
        ("openai_chat", {"max_tokens": 100_000, "max_output_tokens": 1}, 100_000),
        ("gemini_generate", {"generation_config": {"max_output_tokens": 8, "candidate_count": 2}}, 16),
        ("openai_chat", {"max_tokens": True}, UNSAID),
        ("openai_chat", {"max_tokens": -5}, UNSAID),
        ("openai_chat", {"max_tokens": 10**18}, MOST),
        ("openai_chat", parse(b'{"max_tokens": 1e3}'), 1000),
        ("openai_chat", {"max_tokens": NumberToken("1e999")}, MOST),
        ("openai_chat", [], 0),
        ("openai_embeddings", {"max_tokens": 50}, 0),
    ],
)
def test_an_answer_has_as_many_tokens_as_the_request_allows(codec: str, body: Any, completion: int) -> None:
    assert estimate(codec, body, walk_of("a" * 40)) == (10, completion)


@pytest.mark.parametrize("codec", ["openai_files", "openai_batches", "anthropic_count_tokens", "openai_response_by_id"])
def test_what_no_model_reads_now_uses_nothing(codec: str) -> None:
    assert estimate(codec, {"max_tokens": 50}, walk_of("a" * 40)).total == 0
