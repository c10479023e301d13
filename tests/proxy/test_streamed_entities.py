"""Credentials and personal data in a stream: masked as in the whole text, however it was cut."""

from __future__ import annotations

import pytest

from detectors.rules import load_signatures
from detectors.types import Category
from tests.labelled.generate import lines
from tests.proxy.test_streaming import Run, ended, run, said

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
