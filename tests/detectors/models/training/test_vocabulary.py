"""Which pieces stay: what texts use, what is common, and nothing that a text could pass for one of ours with."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.models.linear import Window
from detectors.models.tokens import FIRST, UNKNOWN, Tokens
from detectors.models.training import vocabulary
from detectors.models.training.vocabulary import chosen, defined
from detectors.types import Origin

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "b", "▁a", "▁Rome", "rome", "ab", "zz", "▁user", "▁tool", "<mask>"]
SCORES = np.array([0, 0, 0, 0, -1, -2, -3, -2.5, -2.6, -4, -5, -6, -7, -8, 0], np.float32)


def test_pieces_of_texts_come_before_common_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "SIZE", FIRST + 4)
    kept = [PIECES[number] for number in chosen(PIECES, SCORES, ["zz", "zz a", "ab"])]
    assert kept[:FIRST] == ["<pad>", "▁user", "▁tool", "<mask>", "<s>", "</s>"]
    assert kept[FIRST:] == ["▁", "a", "▁a", "zz"]  # `zz` is rare, but used twice


def test_what_folding_leaves_nothing_of_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "SIZE", 100)
    assert "▁Rome" not in [PIECES[number] for number in chosen(PIECES, SCORES, [])]


def test_no_text_has_the_numbers_that_are_ours() -> None:
    numbers = list(range(4, 10))
    cutter = Tokens(defined(PIECES, SCORES, [1, 12, 13, 14, 0, 2, *numbers]))
    text = " 0 1 2 <s> <pad> <mask> user tool ab"
    ((_, mark, *words, _),) = cutter.windows(text, [Window(0, len(text), 0.0)], Origin.USER)
    assert mark == 1
    assert {number for number in words if number < FIRST} == {UNKNOWN}
    assert cutter.size == FIRST + len(numbers)
