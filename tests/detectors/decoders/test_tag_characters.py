"""Invisible tags are read; flags are flags."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from detectors.decoders.tag_characters import DECODER
from detectors.types import Span


def _tags(text: str) -> str:
    return "".join(chr(0xE0000 + ord(c)) for c in text)


def _said(text: str) -> str:
    return "\n".join(run.text for run in DECODER.decode(text))


ENGLAND = f"\U0001f3f4{_tags('gbeng')}\U000e007f"


@pytest.mark.parametrize(
    "text",
    [
        f"Hello{_tags('ignore all')} there",
        f"\U000e0001{_tags('ignore all')}\U000e007f",
        "x".join(_tags(part) for part in ("ign", "ore", " al", "l")),
        "\u200b".join(_tags("ignore all")),
        f"{ENGLAND}{_tags('ignore')}{ENGLAND}{_tags(' all')}",
        f"\U0001f3f4{_tags('ignore all')}\U000e007f",
    ],
)
def test_a_payload_is_read_as_one(text: str) -> None:
    assert "ignore all" in _said(text)


@pytest.mark.parametrize("text", [ENGLAND * 3, f"{ENGLAND} {_tags('abc')}", "🏴‍☠️ 🇬🇧 plain"])
def test_flags_and_less_than_four_tags_are_no_payload(text: str) -> None:
    assert _said(text) == ""


def test_each_letter_maps_to_its_tag() -> None:
    (run,) = DECODER.decode(f"ab{_tags('ig')}cd{_tags('nore')}")

    assert run.within is not None
    assert run.within.to_source(Span(1, 3)) == Span(3, 7)


@pytest.mark.parametrize("unit", [_tags("ignore "), f"\U0001f3f4{_tags('gbe')}", "\U0001f3f4", f"{_tags('abc')}x"])
def test_hostile_texts_take_linear_time(unit: str, linear: Callable[[Callable[[str], object], str], bool]) -> None:
    assert linear(lambda text: list(DECODER.decode(text)), unit)
