"""Labelled texts, from the corpus folder and from our own generators, and how much each may say."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from detectors.normalise import fold
from detectors.types import Category, Origin

WRITTEN: Final = "written_"  # begins the sources of texts that are of no template
LONGEST: Final = 12_000  # characters of a text that are read for training
# What the corpus calls an attack, in the words of the glossary.
CATEGORIES: Final = {
    "jailbreak": Category.JAILBREAK,
    "injection": Category.PROMPT_INJECTION,
    "indirect_injection": Category.PROMPT_INJECTION,
    "data_extraction": Category.DATA_EXTRACTION,
    "system_prompt_leak": Category.SYSTEM_PROMPT_LEAK,
    "harmful_request": Category.HARMFUL_REQUEST,
}


@dataclass(frozen=True, slots=True)
class Row:
    """A folded text, who wrote it, what it is (None: no attack), and where it is from."""

    text: str
    origin: Origin
    category: Category | None
    source: str
    language: str = "en"
    hard: bool = False

    @property
    def attack(self) -> bool:
        return self.category is not None and self.category is not Category.HARMFUL_REQUEST


def read_rows(file: Path) -> list[Row]:
    """Read a file of the corpus. Raises OSError, KeyError for a row of another shape."""
    with gzip.open(file) as lines:
        return [_row(orjson.loads(line)) for line in lines]


def _row(record: dict[str, Any]) -> Row:
    return Row(
        text=fold(record["text"][:LONGEST]),
        origin=Origin.parse(record["channel"]),
        category=CATEGORIES.get(record["category"]),
        source=record["source"],
        language=record["lang"],
        hard=record["category"] == "benign_hard",
    )


def weights(rows: Sequence[Row], most: int = 400) -> Iterator[float]:
    """Yield how much each row counts: attacks of a source with more than `most` share the say of fewer.

    Thousands of attacks from one template say little more than hundreds; of benign text there is never enough. What
    was written one by one counts twice.
    """
    sizes = Counter(row.source for row in rows if row.attack)
    for row in rows:
        say = min(1.0, (most / sizes[row.source]) ** 0.5) if row.attack else 1.0
        yield 2 * say if is_written(row) else say


def is_written(row: Row) -> bool:
    """Tell whether a row was written one by one (`training/written.py`), and is like no other."""
    return row.source.startswith(WRITTEN)


def without_near_duplicates(rows: Iterable[Row], others: Iterable[str], threshold: float = 0.6) -> Iterator[Row]:
    """Yield the rows that no text of `others` resembles: Jaccard of character 5-grams below the threshold."""
    known = [_shingles(text) for text in others]
    index: dict[int, list[int]] = {}
    for number, grams in enumerate(known):
        for gram in grams:
            index.setdefault(gram, []).append(number)
    for row in rows:
        own = _shingles(row.text)
        shared = Counter(number for gram in own for number in index.get(gram, ()))
        if all(both < threshold * (len(own) + len(known[n]) - both) for n, both in shared.most_common(20)):
            yield row


def _shingles(text: str) -> set[int]:
    return {hash(text[i : i + 5]) for i in range(max(len(text) - 4, 1))}
