"""Answers as a whole: too long, leading elsewhere, or not of the form that was asked for; whole and streamed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import orjson
import pytest

from policies.loader import load_policy_text
from proxy.app import Detection
from proxy.settings import UpstreamSettings
from tests.harness import Recorder, completion, streamed
from tests.proxy.serving import Serving, serving

POLICY = """
extends: preset/standard
output:
  schema: {type: object, required: [city], properties: {city: {type: string}}}
  max_length: 60
  links: ["*.example.org"]
"""
CHAT = "/v1/chat/completions"
ASK = {"model": "m", "messages": [{"role": "user", "content": "Where?"}]}
ANSWERS = {
    '{"city": "Esbjerg"}': set(),
    '{"town": "Esbjerg"}': {"PS-OUT-003"},
    "Esbjerg": {"PS-OUT-003"},
    '{"city": "https://docs.example.org/a"}': set(),
    '{"city": "https://evil.example/a"}': {"PS-OUT-002"},
    '{"city": "' + "E" * 60 + '"}': {"PS-OUT-001"},
}


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder


@pytest.fixture
async def served(tmp_path: Path, detection: Detection, recorder: Recorder) -> AsyncIterator[Serving]:
    policy = load_policy_text(POLICY, Path("acme.yaml"), "acme").policy
    upstream = UpstreamSettings(name="openai", base_url=recorder.url)
    async with serving(tmp_path, detection, policy, upstream) as served:
        yield served


@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_answer_that_is_not_as_the_policy_wants_it_is_blocked(
    served: Serving, recorder: Recorder, answer: str
) -> None:
    async def script(_request: object, _body: bytes) -> object:
        return completion(answer)

    recorder.scripts = {CHAT: script}  # type: ignore[dict-item]
    status, said = await served.ask(CHAT, ASK)
    (row,) = served.rows()
    assert {score["rule"] for score in orjson.loads(row.scores)} == ANSWERS[answer]
    assert (status, row.response_action) == ((400, "block") if ANSWERS[answer] else (200, "allow"))
    assert not ANSWERS[answer] or "Esbjerg" not in orjson.dumps(said).decode()


@pytest.mark.parametrize("answer", ANSWERS)
async def test_a_streamed_one_ends_with_the_refusal(served: Serving, recorder: Recorder, answer: str) -> None:
    recorder.scripts = {CHAT: streamed(answer[:7], answer[7:])}
    key = {"x-promptshield-key": "acme-key"}
    async with served.client.post(CHAT, json={**ASK, "stream": True}, headers=key) as response:
        text = (await response.read()).decode()
    (row,) = served.rows()
    assert {score["rule"] for score in orjson.loads(row.scores)} == ANSWERS[answer]
    assert ("[DONE]" in text, "content_filter" in text) == (not ANSWERS[answer], bool(ANSWERS[answer]))
    assert row.outcome == ("blocked_response" if ANSWERS[answer] else "answered")
