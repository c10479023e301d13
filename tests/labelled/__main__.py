"""Print how well credentials and personal data are found in the labelled sets, with the errors of the half that may be
looked at: `python -m tests.labelled [--misses]`.
"""

from __future__ import annotations

import sys

from tests.labelled.finder import Finder
from tests.labelled.generate import Line, lines
from tests.labelled.score import as_masked
from tests.labelled.test_ceilings import CEILINGS


def show_errors(finder: Finder) -> None:
    for category in CEILINGS:
        for line in lines(category):
            found = as_masked(finder.hits(line.text, category))
            if line.half == "seen" and set(found) != set(line.labels):
                shown = [(label.kind, line.text[label.span.start : label.span.end][:60]) for label in found]
                print(f"{line.text[:140]!r}\n    wanted {wanted(line)}\n    found  {shown}")


def wanted(line: Line) -> list[tuple[str, str]]:
    return [(label.kind, line.text[label.span.start : label.span.end][:60]) for label in line.labels]


def main() -> None:
    finder = Finder()
    if "--misses" in sys.argv:
        show_errors(finder)
    for category in CEILINGS:
        for half, score in finder.scores(category).items():
            print(
                f"{category:10} {half:8} {score.lines:4} lines, {score.negatives} with nothing in them:"
                f" precision {score.precision:.3f}, recall {score.recall:.3f}, F1 {score.f1:.3f}, flagged {score.flagged}"
            )


if __name__ == "__main__":
    main()
