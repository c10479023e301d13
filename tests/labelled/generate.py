"""The labelled sets: carriers, written by hand, filled with made-up values; the places of the values are the labels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random  # noqa: TID251 - a seeded set, not a secret
from typing import Final

from detectors.types import Category, Span
from tests.labelled import credential_values, person_values
from tests.labelled.fillers import FILLERS

FOLDER: Final = Path(__file__).parent
HALVES: Final = ("seen", "held_out")
SEED: Final = 1
_HOLE: Final = re.compile("«([A-Za-z0-9_]+)»")
_VALUES: Final = {Category.CREDENTIAL: credential_values.VALUES, Category.PII: person_values.VALUES}
_SAME_KIND: Final = {Category.CREDENTIAL: credential_values.SAME_KIND, Category.PII: person_values.SAME_KIND}
_NAMES: Final = {Category.CREDENTIAL: "credentials", Category.PII: "personal_data"}
_POSITIVE, _NEGATIVE = {Category.CREDENTIAL: 1, Category.PII: 3}, {Category.CREDENTIAL: 8, Category.PII: 5}
_TOKENS_A_CARRIER: Final = 20  # of the tokens that any carrier may hold


@dataclass(frozen=True, slots=True)
class Label:
    kind: str
    span: Span


@dataclass(frozen=True, slots=True)
class Line:
    """One text and what is in it; `half` says whether its carrier was looked at while signatures were tuned."""

    half: str
    text: str
    labels: tuple[Label, ...]


def lines(category: Category, seed: int = SEED) -> tuple[Line, ...]:
    """Return a labelled set, both halves, the same for the same seed."""
    return tuple(line for half in HALVES for line in _half(category, half, Random(f"{seed} {category} {half}")))


def _half(category: Category, half: str, rng: Random) -> Iterator[Line]:
    turn = 0
    tokens = list(credential_values.TOKENS)
    for carrier in carriers(category, half):
        names = _HOLE.findall(carrier)
        if "ANY" in names:
            for _ in range(_TOKENS_A_CARRIER):
                yield _filled(half, carrier.replace("«ANY»", f"«{tokens[turn % len(tokens)]}»"), category, rng)
                turn += 1
            continue
        holds = any(name.isupper() for name in names)
        times = _POSITIVE[category] if holds else _NEGATIVE[category] if names else 1
        for _ in range(times):
            yield _filled(half, carrier, category, rng)


def carriers(category: Category, half: str) -> Iterator[str]:
    for line in (FOLDER / f"{_NAMES[category]}_{half}.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("# "):
            yield line.replace("\\n", "\n")


def _filled(half: str, carrier: str, category: Category, rng: Random) -> Line:
    """Fill every hole; raises KeyError for a name that nobody makes a value for."""
    makers: Mapping[str, credential_values.Maker] = {**FILLERS, **_VALUES[category]}
    text, labels, copied = "", list[Label](), 0
    for hole in _HOLE.finditer(carrier):
        name, value = hole[1], makers[hole[1]](rng)
        text += carrier[copied : hole.start()]
        copied = hole.end()
        if name.isupper():
            labels.append(Label(_SAME_KIND[category].get(name, name), Span(len(text), len(text) + len(value))))
        text += value
    return Line(half, text + carrier[copied:], tuple(labels))
