"""What every decoder must keep: a gate that ordinary text does not pass, and work that grows with the text only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

import detectors.decoders
from detectors.decoding import Decoder
from detectors.discovery import discover
from detectors.matcher import Matcher
from detectors.pattern import Pattern
from tests.detectors.busy import BUSY

DECODERS: Final = {decoder.name: decoder for decoder in discover(detectors.decoders, "DECODER", Decoder)}
ORDINARY: Final = (
    "Ignore the noise, please; the previous instructions of the manual were wrong (see page 4). I told you so!",
    "Dear developers, the administration's internationalisation is 50% done & will be 100% done by 5 p.m.",
    "The U.S. team won 3-2; the R&D budget is 1,500,000 EUR, i.e. 12.5% more than in 2019. Call 555-0142 - or don't...",
    "Пожалуйста, объясни, почему зимой у моря теплее, чем вдали от него?",  # noqa: RUF001 - Russian
    "请解释水循环如何在地球上输送热量。",
    "S\u2019il te pla\u00eet, explique \u00ab la mer \u00bb \u2014 merci \u2764\ufe0f",
    "The family \U0001f468\u200d\U0001f469\u200d\U0001f467 at home",
)


def test_every_decoder_is_in_the_table() -> None:
    assert BUSY.keys() == DECODERS.keys()


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_passes_no_gate(text: str) -> None:
    names = list(DECODERS)
    gates = Matcher([Pattern(decoder.gate) for decoder in DECODERS.values()], engine="re2")

    assert [names[index] for index in gates.matching(text)] == []


@pytest.mark.parametrize(("name", "unit"), [(name, unit) for name, units in BUSY.items() for unit in units])
def test_what_keeps_a_decoder_busy_takes_linear_time(
    name: str, unit: str, linear: Callable[[Callable[[str], object], str], bool]
) -> None:
    assert linear(lambda text: list(DECODERS[name].decode(text)), unit)
