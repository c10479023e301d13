"""Azure's way to ask for a chat: the same bodies under another path, and two names of a model."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.types import Direction
from proxy.codec import Target
from proxy.providers import openai_chat
from proxy.providers.openai_azure_chat import CODEC

TARGET = Target("POST", "/deployments/gpt-4o/chat/completions", "api-version=2024-10-21", "openai")


def test_only_a_deployments_chat_is_claimed_and_it_goes_to_the_plain_path() -> None:
    paths = ["/deployments/a/chat/completions", "/deployments/a/b/chat/completions", "/deployments//chat/completions",
             "/v1/chat/completions", "/deployments/a/completions"]  # fmt: skip

    assert [path for path in paths if CODEC.claims("POST", path)] == paths[:1]
    assert CODEC.upstream_path(TARGET) == "/chat/completions"


@pytest.mark.parametrize(
    ("body", "models"),
    [
        ({"model": "gpt-4o"}, ("gpt-4o",)),
        ({"model": "other"}, ("other", "gpt-4o")),
        ({"models": ["a"]}, ("a", "gpt-4o")),
        ({}, ("gpt-4o",)),
    ],
)
def test_what_runs_and_what_was_asked_for_are_both_held_against_the_allow_list(
    body: Any, models: tuple[str, ...]
) -> None:
    assert CODEC.models(TARGET, body) == models


def test_a_body_is_read_as_that_of_a_chat() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    walks = [codec.segments(body, Direction.REQUEST) for codec in (CODEC, openai_chat.CODEC)]

    assert walks[0].segments == walks[1].segments != []


def test_a_body_that_names_no_model_is_given_that_of_the_path() -> None:
    assert CODEC.read_body(TARGET, b'{"messages":[]}', "application/json") == {"model": "gpt-4o", "messages": []}
    assert CODEC.read_body(TARGET, b'{"model":"other"}', "application/json") == {"model": "other"}
