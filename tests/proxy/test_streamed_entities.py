"""Credentials and personal data in a stream: masked as in the whole text, however it was cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from detectors.build import build_views
from detectors.packs import load_pack
from detectors.rules import load_signatures
from detectors.types import Category
from policies.loader import load_policy_text
from policies.types import Policy
from proxy.app import Detection
from tests.harness import Recorder, streamed
from tests.labelled.generate import lines
from tests.proxy.judged import judged
from tests.proxy.streams.test_streaming import Run, ended, run, said

__all__ = ["run"]  # a fixture
KINDS = (Category.CREDENTIAL, Category.PII)
SIGNATURES = load_signatures().of(KINDS)
EXAMPLES = [f"So: {s.examples.match[0]}\nThat was all there is to it, he said." for s in SIGNATURES]
LABELLED = [line.text for category in KINDS for line in lines(category)]


@pytest.mark.parametrize(
    "text", ["My password is hunter2, sadly.", "NHS number: 943 476 5919\nThanks", "Mr. Okafor called."]
)
@pytest.mark.parametrize("size", [1, 3, 8])
async def test_a_value_is_masked_though_the_words_that_name_it_were_let_go(run: Run, text: str, size: int) -> None:
    cut = await _cut(run, text, size)

    assert cut == await _cut(run, text, len(text))
    assert "[" in cut


@pytest.mark.slow
async def test_examples_and_labelled_lines_are_masked_as_in_the_whole_text(run: Run) -> None:
    texts = [*EXAMPLES[::2], *LABELLED[::80]]

    assert [text for text in texts if await _cut(run, text, 3) != await _cut(run, text, len(text))] == []


async def _cut(run: Run, text: str, size: int) -> str:
    return (await run(*said(text, size), *ended())).text()


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder


def listing() -> Policy:
    """A policy that masks in answers what it lists, in several words."""
    rule = "{id: names, when: {category: keyword, direction: response}, action: mask}"
    text = f"extends: preset/standard\nkeywords: [{{id: names, words: [staff no 123 b]}}]\nrules: [{rule}]\n"
    return load_policy_text(text, Path("a.yaml"), "a").policy


def packed(folder: Path) -> Policy:
    """A policy that masks personal data, also of a kind that its operator has a signature for."""
    signature = {
        "id": "OP-PII-001",
        "title": "Staff number",
        "description": "A number of our staff.",
        "status": "stable",
        "category": "pii",
        "kind": "STAFF",
        "severity": "high",
        "confidence": 0.9,
        "level": 1,
        "views": ["as_is"],
        "pattern": "Staff No [0-9]{3} [A-Z]",
        "examples": {"match": ["Staff No 123 B", "Staff No 124 B"], "no_match": ["Staff No 3", "staff"]},
    }
    (folder / "staff.yaml").write_text(yaml.safe_dump(signature))
    pack = load_pack(folder, build_views())
    assert pack is not None
    policy = load_policy_text("extends: preset/strict\n", Path("a.yaml"), "a").policy
    return replace(policy, lexicon=policy.lexicon.with_packs([pack]))


@pytest.mark.parametrize("by", ["a list", "a pack"])
async def test_what_an_operator_looks_for_is_masked_though_it_comes_word_by_word(
    tmp_path: Path, detection: Detection, recorder: Recorder, by: str
) -> None:
    (tmp_path / "signatures").mkdir()
    policy = listing() if by == "a list" else packed(tmp_path / "signatures")
    async with judged(tmp_path, detection, policy, recorder, {}) as panel:
        words = ("It is ", "Staff ", "No ", "123 ", "B ", "who ", "said ", "so.")
        recorder.scripts["/v1/chat/completions"] = streamed(*words, pause=0.01)
        body = {"model": "scripted", "stream": True, "messages": [{"role": "user", "content": "Who said so?"}]}
        key = {"x-promptshield-key": "acme-key"}
        async with panel.served.client.post("/v1/chat/completions", json=body, headers=key) as answer:
            said = await answer.text()
    assert ("123" in said, "[KEYWORD]" in said or "[STAFF]" in said) == (False, True)
