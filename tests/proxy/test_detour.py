"""What a policy does beside its action, in the real handler: other models, labels, a preamble, a candidate."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from policies.layers import Library
from policies.loader import load_policy
from proxy.app import Detection
from proxy.settings import UpstreamSettings
from tests.e2e.test_uniformity import DIALECTS
from tests.harness import Recorder
from tests.proxy.serving import Serving, serving

POLICY = """
extends: preset/standard
models: {allow: [m, gemini-pro, local-1]}
preamble: The customer is Nordhafen, a ferry line.
refusals: {en: This is not done here., de: Das geht hier nicht.}
candidate: {policy: _next/acme.yaml, until: 2099-01-01}
rules:
  - id: stays-home
    when: {category: pii, model: m}
    action: flag
    labels: [sensitive]
    route: {model: local-1}
  - {id: abroad, when: {kind: IBAN, model: m}, action: block}
  - {id: at-home, when: {category: pii, model: local-1}, if: 'kind == "EMAIL"', action: mask}
  - {id: elsewhere, when: {kind: PAYMENT_CARD}, action: flag, route: {upstream: far-away}}
"""
MAIL = "Please write to anna@example.org about it."
CHAT = "/v1/chat/completions"
ASKED = {dialect.name: dialect for dialect in DIALECTS}


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder


@pytest.fixture
async def served(tmp_path: Path, detection: Detection, recorder: Recorder) -> AsyncIterator[Serving]:
    recorder.received.clear()
    recorder.scripts = {}
    (tmp_path / "_next").mkdir()
    (tmp_path / "_next/acme.yaml").write_text("extends: preset/strict\n")
    (tmp_path / "acme.yaml").write_text(POLICY)
    policy = load_policy(tmp_path / "acme.yaml", "acme", (), Library(tmp_path)).policy
    upstreams = [
        UpstreamSettings(name=name, dialect=name, base_url=recorder.url) for name in ("openai", "anthropic", "gemini")
    ]
    async with serving(tmp_path / "journal", detection, policy, *upstreams) as served:
        yield served


def asked(recorder: Recorder) -> dict[str, Any]:
    sent: dict[str, Any] = orjson.loads(recorder.received[-1].body)
    return sent


@pytest.mark.parametrize("name", ["openai chat", "openai responses", "anthropic"])
async def test_a_preamble_goes_before_every_system_prompt(served: Serving, recorder: Recorder, name: str) -> None:
    await served.ask(ASKED[name].path, ASKED[name].question("When is the next ferry?"))
    assert "The customer is Nordhafen" in recorder.received[-1].body.decode()


async def test_a_finding_sends_the_request_to_the_other_model_where_it_is_decided_once_more(
    served: Serving, recorder: Recorder
) -> None:
    await served.ask(CHAT, ASKED["openai chat"].question(MAIL))
    assert asked(recorder)["model"] == "local-1"
    assert asked(recorder)["messages"][-1]["content"] == "Please write to [EMAIL] about it."
    (row,) = served.rows()
    assert (row.model, row.request_action, orjson.loads(row.facts)["asked_model"]) == ("local-1", "mask", "m")
    assert orjson.loads(row.facts)["labels"] == ["sensitive"]


async def test_what_stops_goes_nowhere_and_is_told_in_the_policys_words(served: Serving, recorder: Recorder) -> None:
    for asked_in, expected in ((MAIL, "This is not done here."), ("Bitte schreibe das auf.", "Das geht hier nicht.")):
        question = ASKED["openai chat"].question(f"{asked_in} IBAN DE89370400440532013000.")
        status, said = await served.ask(CHAT, question)
        assert (status, said["error"]["message"], recorder.received) == (400, expected, [])


async def test_a_way_that_does_not_exist_is_no_way(served: Serving, recorder: Recorder) -> None:
    body = {**ASKED["openai chat"].question("My card is 4111 1111 1111 1111."), "model": "local-1"}
    assert ((await served.ask(CHAT, body))[0], recorder.received) == (404, [])


async def test_fallback_models_do_not_get_around_a_rule_about_models(served: Serving, recorder: Recorder) -> None:
    body = {**ASKED["openai chat"].question("IBAN DE89370400440532013000."), "model": "local-1", "models": ["m"]}
    assert (await served.ask(CHAT, body))[0] == 400


async def test_what_the_candidate_thinks_differently_is_in_the_row(served: Serving) -> None:
    await served.ask(CHAT, ASKED["openai chat"].question("My key is AKIAIOSFODNN7EXAMPLA, keep it."))
    (row,) = served.rows()
    other = orjson.loads(row.facts)["candidate"]["request"]
    assert (row.request_action, other["action"], other["rule"]) == ("mask", "block", "credentials")
    assert other["revision"] != row.policy_revision
