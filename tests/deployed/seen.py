"""What was really going on while Prometheus watched, from the senders, the decision log and the system."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from policies.types import ActionName
from proxy.telemetry.metric_names import BY_NAME
from tests.deployed.traffic import Sent

Bounds = tuple[float, float]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Process:
    """A worker as the system sees it; `cpu` are the seconds it used while traffic was played."""

    number: int
    resident: float
    files: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Seen:
    """`rows` are the decisions of the traffic that was played, `all_rows` those before too. Times are epoch seconds.

    Prometheus had samples over `sampled` of the `window` seconds that panels look back from `at`.
    """

    sent: Sequence[Sent]
    rows: Sequence[Row]
    all_rows: Sequence[Row]
    workers: Sequence[Process]
    since: float
    at: float
    window: float
    sampled: float
    held_open: int
    journal_bytes: float
    journal_limit: float
    revisions: Mapping[tuple[str, str], int]
    exclusion_ends: float
    version: str

    def rate(self, count: float) -> Bounds:
        """Return between what a rate must lie: Prometheus stretches what its samples span to the window, at most."""
        return count / self.window, count / self.sampled

    def increase(self, count: float) -> Bounds:
        return count, count * self.window / self.sampled

    def share(self, part: float, whole: float) -> Bounds:
        stretch = self.window / self.sampled
        return part / whole / stretch, part / whole * stretch

    def rates(self, counts: Mapping[Any, float]) -> dict[tuple[str, ...], Bounds]:
        return {key if isinstance(key, tuple) else (key,): self.rate(count) for key, count in counts.items() if count}

    @property
    def strangers(self) -> int:
        return sum(sent.kind == "stranger" for sent in self.sent)

    def ends(self, *names: str) -> Counter[tuple[str, ...]]:
        """Count exchanges by columns of their rows; those of nobody have no row."""
        nobody = {"action": "allow", "outcome": "rejected", "tenant": ""}
        found = Counter(tuple(str(row[name]) for name in names) for row in self.rows)
        found[tuple(nobody[name] for name in names)] += self.strangers
        return found

    def judged(self) -> Iterator[tuple[Row, Sequence[Mapping[str, Any]]]]:
        """Yield the decisions whose text was read, with their findings by rule."""
        for row in self.rows:
            if orjson.loads(row["coverage"]):
                yield row, orjson.loads(row["scores"])

    def results(self, detectors: Iterable[str]) -> Counter[tuple[str, str]]:
        """Count what each detector's findings led to."""
        found: Counter[tuple[str, str]] = Counter()
        for _, scores in self.judged():
            for detector in detectors:
                actions = [ActionName(s["action"]) for s in scores if s["detector"] == detector]
                found[detector, max(actions, key=lambda a: a.weight, default=ActionName.ALLOW)] += 1
        return found

    def findings(self, *names: str) -> Counter[tuple[str, ...]]:
        found: Counter[tuple[str, ...]] = Counter()
        for _, scores in self.judged():
            for score in scores:
                found[tuple(score[name] for name in names)] += score["count"]
        return found

    def segments(self, rows: Sequence[Row] | None = None) -> Counter[tuple[str, str]]:
        """Count texts by what became of them, from the receipts in the log."""
        found: Counter[tuple[str, str]] = Counter()
        for row in self.rows if rows is None else rows:
            for receipt in orjson.loads(row["coverage"]).values():
                found["scanned", ""] += receipt.get("scanned", 0)
                found["cached", ""] += receipt.get("cached", 0)
                found.update({("unscannable", k): n for k, n in receipt.get("unscanned", {}).items()})
        return found


def of_buckets(metric: str, lowest: Sequence[float], highest: Sequence[float], share: float) -> Bounds:
    """Return the bounds of the buckets that hold the quantile of values known to lie between two lists, each sorted."""
    rank = max(0, math.ceil(share * len(lowest)) - 1)
    bounds = [0.0, *BY_NAME[metric].buckets]
    low, high = sorted(lowest)[rank], sorted(highest)[rank]
    below = bisect_left(bounds, low) - 1
    return bounds[max(0, below)], bounds[min(len(bounds) - 1, bisect_left(bounds, high))]
