"""`make peers`: credentials and personal data beside detect-secrets and Presidio, on the labelled sets, in one run; writes
docs/accuracy-entities.md.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from detectors.types import Category, Hit, Span
from tests.labelled.finder import Finder
from tests.labelled.generate import HALVES, Line, lines
from tests.labelled.score import Score

ROOT: Final = Path(__file__).parents[2]
PYTHON: Final = ROOT / ".venv-peers" / "bin" / "python"
FILE: Final = ROOT / "docs" / "accuracy-entities.md"
# What Presidio finds that nobody labelled counts where it touches a label, and is not held against it.
UNLABELLED: Final = frozenset({"DATE_TIME", "URL"})
THRESHOLDS: Final = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.85)
SETS: Final = {Category.CREDENTIAL: "credentials", Category.PII: "personal data"}

Found = Sequence[tuple[int, int, str, float]]


@dataclass(frozen=True, slots=True)
class Standing:
    """How one finder does: labels touched by anything, findings that touch none, and texts with nothing in them flagged."""

    name: str
    labels: int
    touched: int
    beside: int
    negatives: int
    flagged: int
    known: tuple[int, int]  # labels touched, and labels, of the kinds of which it touched any
    microseconds: tuple[float, float]  # median of a text, and of a kilobyte over all

    @property
    def precision(self) -> float:
        return self.touched / max(1, self.touched + self.beside)

    @property
    def recall(self) -> float:
        return self.touched / self.labels

    @property
    def f1(self) -> float:
        return 2 * self.touched / (self.labels + self.touched + self.beside)


def standing(name: str, texts: Sequence[Line], found: Sequence[Found], seconds: Sequence[float]) -> Standing:
    touched, labels, beside, flagged = Counter[str](), Counter[str](), 0, 0
    for line, each in zip(texts, found, strict=True):
        spans = [(Span(start, end), kind) for start, end, kind, _ in each]
        labels.update(label.kind for label in line.labels)
        touched.update(label.kind for label in line.labels if any(label.span.overlaps(span) for span, _ in spans))
        stray = sum(not _touches(span, line) and kind not in UNLABELLED for span, kind in spans)
        beside += stray
        flagged += not line.labels and stray > 0
    size = sum(len(line.text) for line in texts)
    return Standing(
        name=name,
        labels=labels.total(),
        touched=touched.total(),
        beside=beside,
        negatives=sum(not line.labels for line in texts),
        flagged=flagged,
        known=(touched.total(), sum(labels[kind] for kind in touched)),
        microseconds=(statistics.median(seconds) * 1e6, sum(seconds) / size * 1e9),
    )


def _touches(span: Span, line: Line) -> bool:
    return any(label.span.overlaps(span) for label in line.labels)


def ours(finder: Finder, category: Category, texts: Sequence[Line]) -> Standing:
    found: list[Found] = []
    seconds: list[float] = []
    for line in texts:
        looks = [_timed(finder, line.text, category) for _ in range(2)]
        seconds.append(min(took for took, _ in looks))
        found.append([(h.span.start, h.span.end, h.kind, h.confidence) for h in looks[0][1] if h.span is not None])
    return standing("PromptShield", texts, found, seconds)


def _timed(finder: Finder, text: str, category: Category) -> tuple[float, Sequence[Hit]]:
    started = time.thread_time()
    hits = finder.hits(text, category)
    return time.thread_time() - started, hits


def peers(sets: Mapping[Category, Sequence[Line]]) -> Iterator[tuple[Category, Standing]]:
    """Ask the others, in their own environment; of a finder that scores, keep the threshold that suits it best."""
    told = json.dumps({str(category): [line.text for line in texts] for category, texts in sets.items()})
    command = [str(PYTHON), str(ROOT / "tests" / "labelled" / "peers.py")]
    run = subprocess.run(command, input=told, stdout=subprocess.PIPE, text=True, check=True)
    for name, result in json.loads(run.stdout).items():
        category = Category(result["set"])
        tries = [
            standing(
                f"{name}, from {least}" if category is Category.PII else name, sets[category], kept, result["seconds"]
            )
            for least in (THRESHOLDS if category is Category.PII else (0.0,))
            for kept in [[[one for one in found if one[3] >= least] for found in result["found"]]]
        ]
        yield category, max(tries, key=lambda each: each.f1)


def document(halves: Mapping[Category, Mapping[str, Score]], table: Sequence[tuple[Category, Standing]]) -> str:
    return "\n".join(
        [_INTRODUCTION.format(machine=machine()), *_exact(halves), _BESIDE, *_side_by_side(table), _LIMITS]
    )


def machine() -> str:
    processor = next((line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), "unknown")
    return f"{platform.system()} {platform.machine()}, {processor}, Python {platform.python_version()}"


def _cpuinfo() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def _exact(halves: Mapping[Category, Mapping[str, Score]]) -> Iterator[str]:
    yield "| set | half | texts | with nothing in them | precision | recall | F1 | of those flagged | first run's F1 |\n|---|---|---|---|---|---|---|---|---|"
    for category, scores in halves.items():
        for half, score in scores.items():
            yield (
                f"| {SETS[category]} | {half.replace('_', ' ')} | {score.lines} | {score.negatives} | {score.precision:.3f}"
                f" | {score.recall:.3f} | {score.f1:.3f} | {score.flagged} | {_FIRST_RUN[category][half]} |"
            )


def _side_by_side(table: Sequence[tuple[Category, Standing]]) -> Iterator[str]:
    yield "| set | finder | precision | recall | F1 | recall of the kinds it knows | texts with nothing flagged | us a text (median) | us a KB |\n|---|---|---|---|---|---|---|---|---|"
    for category, one in sorted(table, key=lambda row: (list(SETS).index(row[0]), -row[1].f1)):
        yield (
            f"| {SETS[category]} | {one.name} | {one.precision:.3f} | {one.recall:.3f} | {one.f1:.3f}"
            f" | {one.known[0] / max(1, one.known[1]):.3f} | {one.flagged} of {one.negatives}"
            f" | {one.microseconds[0]:,.0f} | {one.microseconds[1]:,.0f} |"
        )


def main() -> int:
    finder = Finder()
    sets = {category: lines(category) for category in SETS}
    table = [(category, ours(finder, category, texts)) for category, texts in sets.items()]
    table += peers(sets)
    text = document({category: finder.scores(category) for category in SETS}, table)
    FILE.write_text(text, encoding="utf-8")
    print(text)
    return 0


# F1 of the sets before anything was tuned on them; kept by hand, because it can be measured only once.
_FIRST_RUN: Final = {
    Category.CREDENTIAL: dict(zip(HALVES, (0.994, 0.998), strict=True)),
    Category.PII: dict(zip(HALVES, (0.974, 0.978), strict=True)),
}
_INTRODUCTION: Final = """# How well credentials and personal data are found

Written by `make peers`. {machine}.

The sets are ours (`tests/labelled/`): texts written by hand (code, configuration, logs, tables, mails and chat in a dozen
languages) into which a seed puts made-up values; where they were put are the labels. Check digits are worked out there, by
no code of the detectors. Two in five texts hold nothing: identifiers, hashes, versions, order numbers, samples, code that reads a
password. Half of the texts (`held out`) was never looked at while signatures were changed.

Right is what has the right kind and the exact place, as a mask would show it; the last column is the F1 of the first run.
"""
_BESIDE: Final = """
## Beside other tools

Here right is any label that a finding touches, whatever the finding calls it, and wrong is a finding that touches no label: the
makers name things differently. Presidio runs its pattern recognisers over plain words, without a language model, offline, at the
threshold with the best F1 on this very set; its dates and web addresses count only where they touch a label. detect-secrets runs with all
that it ships, on files and on single lines. Times are CPU of one thread, the faster of two looks at each text; ours is for all signatures and readings, attacks too.
"""
_LIMITS: Final = """
## What this does not say

- The sets were written by those who wrote the signatures: they know the same forms. A maker that changes its form, or one that
  neither knows, is missing from both. The other tools were made for other sets.
- Names without an introduction, a title or a field's name are labelled in a few texts, and all of them are missed; so are the cells of a
  table whose first line alone says what they are. A language model (Presidio's, say) would find some.
- Values come from generators: real people misspell, wrap lines, and leave out blanks.
"""

if __name__ == "__main__":
    sys.exit(main())
