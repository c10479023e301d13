"""What leaves is remembered as it will come back, within a bound."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from detectors.types import Direction
from policies.types import Facts, Policy
from proxy.app import Detection
from proxy.foreseeing import Said
from proxy.providers.openai_chat import CODEC
from proxy.screen import MOST_FORESEEN, Screen
from proxy.settings import UpstreamSettings
from tests.harness import Recorder, Script, completion, streamed
from tests.proxy.serving import serving

SAID = "A stream said this sentence in many small pieces, and nobody has read it whole so far."
KEY = {"x-promptshield-key": "acme-key"}


def says(text: str) -> Script:
    async def script(_request: web.Request, _body: bytes) -> web.StreamResponse:
        return completion(text)

    return script


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
        said.add("0/content", "x" * (MOST_FORESEEN // 2))
    said.add("0/content", "more")

    assert said.texts() == []


async def test_what_was_foreseen_is_known_when_it_comes_back_to_its_tenant_alone(
    screen: Screen, make_policy: Callable[[str], Policy]
) -> None:
    await screen.foresee([SAID], make_policy(""), "acme", 1, b"1" * 32)

    body = {"model": "m", "messages": [{"role": "assistant", "content": SAID}]}
    walk = CODEC.segments(body, Direction.REQUEST)
    ours = await screen.judge(walk, make_policy(""), Facts(at=0.0), 1, b"1" * 32)
    theirs = await screen.judge(walk, make_policy(""), Facts(at=0.0), 2, b"2" * 32)

    assert (ours.verdict.coverage.cached, theirs.verdict.coverage.cached) == (1, 0)


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_left_masked_or_in_pieces_is_known_in_the_next_turn(
    tmp_path: Path, detection: Detection, make_policy: Callable[[str], Policy], stream: bool
) -> None:
    words = f"Write to anna{stream}@example.org, who will know all about the maps that you asked me for yesterday."
    with Recorder() as recorder:
        recorder.scripts["scripted"] = streamed(*words.partition("know")) if stream else says(words)
        upstream = UpstreamSettings(name="recorder", base_url=recorder.url)
        async with serving(tmp_path, detection, make_policy("disclose: full"), upstream) as served:
            asked = {"model": "scripted", "stream": stream, "messages": [{"role": "user", "content": f"Who? {stream}"}]}
            async with served.client.post("/v1/chat/completions", json=asked, headers=KEY) as answer:
                said = (await answer.read()).decode()
            heard = words.replace(f"anna{stream}@example.org", "[EMAIL]")
            history = {"role": "assistant", "content": heard}
            async with served.client.post(
                "/v1/chat/completions", json={**asked, "stream": False, "messages": [history]}, headers=KEY
            ) as repeated:
                cached = repeated.headers["x-promptshield-cache"]

    assert "[EMAIL]" in said
    assert cached == "hits=1"
