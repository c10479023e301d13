"""Rows of our own for requests for harm: the same frames around goals that harm and goals that only sound like it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from random import Random  # noqa: TID251 - seeded, so that training can be repeated
from typing import Final

from detectors.models.training.grammar import Seeds
from detectors.models.training.rows import Row
from detectors.normalise import fold
from detectors.types import Category, Origin

_KINDS: Final = ("goal", "goal", "goal", "subject", "work")
_NOT_ALONE: Final = 0.3  # of the texts say something else as well, on both sides alike
_SHARE: Final = 5  # every fifth line of goals is one that a first fit has not seen


class Lines(Enum):
    """Which of the goals are used."""

    SEEN = "seen"
    UNSEEN = "unseen"
    ALL = "all"

    def of(self, lines: list[str]) -> list[str]:
        unseen = lines[::_SHARE]
        return {Lines.ALL: lines, Lines.UNSEEN: unseen, Lines.SEEN: [one for one in lines if one not in unseen]}[self]


def harm_rows(seed: int, size: int, lines: Lines = Lines.ALL) -> Iterator[Row]:
    """Yield up to `size` requests for harm and twice as many that are none, without repeats."""
    chance, seeds, seen = Random(seed), Seeds("harm"), set[str]()  # noqa: S311 - no secret
    beside = [(Seeds("wild_benign"), "wild"), (Seeds("user_attacks"), "lead"), (Seeds("user_attacks"), "override")]
    for section, own in seeds.sections.items():
        if not section.endswith("_frame"):
            seeds.sections[section] = lines.of(own)
    for _ in range(size):
        for side in ("harm", "fine", "fine"):
            kind = chance.choice(_KINDS)
            said = seeds.sentence(f"{side}_{kind}", chance)
            text = seeds.sentence(f"{kind}_frame", chance).replace("@", said) if chance.random() < 0.9 else said
            if chance.random() < _NOT_ALONE:
                others, section = chance.choice(beside)
                parts = [text, others.sentence(section, chance)]
                text = chance.choice([". ", "\n", " "]).join(chance.sample(parts, 2))
            text = fold(text)
            if text not in seen:
                seen.add(text)
                yield Row(text, Origin.USER, Category.HARMFUL_REQUEST if side == "harm" else None, f"own_{side}")
