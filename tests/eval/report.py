"""What was measured, as tables: for the terminal, and between the marks of docs/accuracy.md."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.eval.looking import STAGES, WHOLE, Looked
from tests.eval.measures import area_under_curve, quantile, rates, threshold_at
from tests.eval.sets import Labelled

PAGE: Final = Path(__file__).parent.parent.parent / "docs" / "accuracy.md"
BEGIN: Final = "<!-- measured by make eval -->"
END: Final = "<!-- end of what is measured -->"
HEAD: Final = (
    "| set | attacks | benign | recall | flagged | F1 | AUC | recall at 0.1 % | at 1 % | unsure | read again "
    "| p50 ms | p99 ms | p99 of those |"
)

CUTS: Final = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
HARM_AT: Final = (0.65, 0.8, 0.9)

Sets = Mapping[str, Sequence[Labelled]]
AllLooked = Mapping[str, Looked]


def table(sets: Sets, looked: AllLooked) -> str:
    """Return all tables in Markdown: the whole chain's, each stage's alone, what it costs, and who asks for harm."""
    return "\n".join(
        [*_whole(sets, looked), "", *_stages(sets, looked), "", *_curve(sets, looked), "", *_harm(sets, looked)]
    )


def page(sets: Sets, looked: AllLooked) -> None:
    """Put the tables into docs/accuracy.md, between its marks."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    made = f"Measured on {platform.machine()}, Python {platform.python_version()}; times swing with what else runs."
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(sets, looked)}\n\n{made}\n\n{END}{after}", encoding="utf-8")


def _whole(sets: Sets, looked: AllLooked) -> Iterator[str]:
    ordinary = [
        score
        for row, score in zip(sets.get("dev", ()), looked["dev"].scores if "dev" in looked else (), strict=True)
        if not row.attack and not row.hard
    ]
    strict, loose = threshold_at(ordinary, 0.001), threshold_at(ordinary, 0.01)
    yield HEAD
    yield "|---" + "|--:" * (HEAD.count("|") - 2) + "|"
    for name, rows, seen in _with_parts(sets, looked):
        labels = [row.attack for row in rows]
        found = rates(labels, seen.flagged[WHOLE])
        attacks = [score for label, score in zip(labels, seen.scores, strict=True) if label]
        unsure = [unsure for row, unsure in zip(rows, seen.unsure, strict=True) if not row.attack]
        reread = [again for row, again in zip(rows, seen.reread, strict=True) if not row.attack]
        slow = [seconds for seconds, again in zip(seen.seconds, seen.reread, strict=True) if again]
        cells = [
            name,
            found.attacks,
            found.benign,
            _percent(found.recall),
            _percent(found.flagged),
            _number(found.f1),
            _number(area_under_curve(labels, seen.scores)),
            _above(attacks, strict) if ordinary else "",
            _above(attacks, loose) if ordinary else "",
            _percent(sum(unsure) / len(unsure)) if unsure else "",
            _percent(sum(reread) / len(reread)) if reread else "",
            f"{1000 * quantile(seen.seconds, 0.5):.2f}",
            f"{1000 * quantile(seen.seconds, 0.99):.1f}",
            f"{1000 * quantile(slow, 0.99):.1f}" if slow else "",
        ]
        yield "| " + " | ".join(map(str, cells)) + " |"


def _with_parts(sets: Sets, looked: AllLooked) -> Iterator[tuple[str, Sequence[Labelled], Looked]]:
    for name, rows in sets.items():
        yield name, rows, looked[name]
        if name == "dev":
            kept = [number for number, row in enumerate(rows) if not row.attack and not row.hard]
            yield "dev, ordinary only", [rows[number] for number in kept], _chosen(looked[name], kept)


def _chosen(seen: Looked, kept: Sequence[int]) -> Looked:
    return Looked(
        {stage: [flags[number] for number in kept] for stage, flags in seen.flagged.items()},
        [seen.scores[number] for number in kept],
        [seen.seconds[number] for number in kept],
        [seen.unsure[number] for number in kept],
        [seen.reread[number] for number in kept],
        [seen.harm[number] for number in kept],
        [seen.first[number] for number in kept],
        [seen.leaning[number] for number in kept],
        [seen.again[number] for number in kept],
    )


def _stages(sets: Sets, looked: AllLooked) -> Iterator[str]:
    yield "| set | " + " | ".join(STAGES) + " |"
    yield "|---" * (len(STAGES) + 1) + "|"
    for name, rows, seen in _with_parts(sets, looked):
        cells = []
        for stage in STAGES:
            found = rates([row.attack for row in rows], seen.flagged[stage])
            cells.append(" / ".join(_percent(share) for share in (found.recall, found.flagged) if share is not None))
        yield f"| {name} | " + " | ".join(cells) + " |"


def _curve(sets: Sets, looked: AllLooked) -> Iterator[str]:
    """What would be caught, and at what price, if the transformer read only the most doubtful of what it reads."""
    yield "| of its texts the transformer reads | of all texts | ms a text | recall | flagged |"
    yield "|--:|--:|--:|--:|--:|"
    seen, attack = list(looked.values()), [row.attack for rows in sets.values() for row in rows]
    whole = [flag for one in seen for flag in one.flagged[WHOLE]]
    first, leaning = [flag for one in seen for flag in one.first], [lean for one in seen for lean in one.leaning]
    reread, again = [read for one in seen for read in one.reread], [more for one in seen for more in one.again]
    seconds = [second for one in seen for second in one.seconds]
    ascending = sorted(lean for lean, read in zip(leaning, reread, strict=True) if read)
    for share in CUTS:
        cut = ascending[round((1 - share) * (len(ascending) - 1))] if share and ascending else float("inf")
        reads = [read and lean >= cut for read, lean in zip(reread, leaning, strict=True)]
        found = rates(attack, [(w if r else f) for w, f, r in zip(whole, first, reads, strict=True)])
        spent = sum(s - (0 if r else a) for s, a, r in zip(seconds, again, reads, strict=True))
        cells = [f"{share:.0%}", _percent(sum(reads) / len(reads)), f"{1000 * spent / len(seconds):.2f}"]
        yield f"| {' | '.join([*cells, _percent(found.recall), _percent(found.flagged)])} |"


def _harm(sets: Sets, looked: AllLooked) -> Iterator[str]:
    """How many texts a policy that asks for it would call requests for harm, by the confidence it asks for."""
    yield "| set | " + " | ".join(f"harm at {least}" for least in HARM_AT) + " |"
    yield "|---" + "|--:" * len(HARM_AT) + "|"
    for name, _, seen in _with_parts(sets, looked):
        shares = [sum(chance >= least for chance in seen.harm) / len(seen.harm) for least in HARM_AT]
        yield f"| {name} | " + " | ".join(map(_percent, shares)) + " |"


def _above(scores: Sequence[float], threshold: float) -> str:
    return _percent(sum(score > threshold for score in scores) / len(scores)) if scores else ""


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
