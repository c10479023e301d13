"""What leaves is remembered as it will come back, within a bound."""

from __future__ import annotations

from collections.abc import Callable

from detectors.types import Direction, Origin
from policies.types import Facts, Policy
from proxy.foreseeing import LEAST, MOST, Said, as_history
from proxy.providers.openai_chat import CODEC
from proxy.screen import Screen

SAID = "A stream said this sentence in many small pieces, and nobody has read it whole so far."


def test_pieces_of_a_channel_are_one_text() -> None:
    said = Said()
    for channel, text in (("0/content", "a"), ("1/content", "x"), ("0/content", "b"), ("0/content", "")):
        said.add(channel, text)

    assert said.texts() == ["ab", "x"]


def test_what_a_model_says_to_itself_is_left_out() -> None:
    said = Said()
    said.add("0/delta/reasoning_content", "hm")

    assert said.texts() == []


def test_an_answer_beyond_the_bound_is_forgotten_whole() -> None:
    said = Said()
    for _ in range(3):
        said.add("0/content", "x" * (MOST // 2))
    said.add("0/content", "more")

    assert said.texts() == []


def test_history_is_what_an_assistant_said_and_long_enough() -> None:
    (segment,) = as_history(["x" * LEAST, "short"])

    assert (segment.direction, segment.origin, len(segment.text)) == (Direction.REQUEST, Origin.ASSISTANT, LEAST)


async def test_what_was_foreseen_is_known_when_it_comes_back_to_its_tenant_alone(
    screen: Screen, make_policy: Callable[[str], Policy]
) -> None:
    await screen.foresee([SAID], 1, b"1" * 32)

    body = {"model": "m", "messages": [{"role": "assistant", "content": SAID}]}
    walk = CODEC.segments(body, Direction.REQUEST)
    ours = await screen.judge(walk, make_policy(""), Facts(at=0.0), 1, b"1" * 32)
    theirs = await screen.judge(walk, make_policy(""), Facts(at=0.0), 2, b"2" * 32)

    assert (ours.verdict.coverage.cached, theirs.verdict.coverage.cached) == (1, 0)
