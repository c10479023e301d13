"""The account of one detector: what went wrong is data."""

from __future__ import annotations

from detectors.runs import account, skipped
from detectors.types import Category, Hit, RunStatus, Severity
from tests.detectors.test_plan import Named


def hit(confidence: float) -> Hit:
    return Hit("PS-T-001", "WORD", Category.KEYWORD, Severity.LOW, confidence, None, (), "A test")


def test_an_account_counts_hits_and_keeps_the_highest_confidence() -> None:
    run = account(Named("a"), RunStatus.OK, [(hit(0.2), hit(0.7)), (), (hit(0.1),)], 0.5, left_out=3)

    assert (run.hits, run.confidence, run.seconds, run.left_out) == (3, 0.7, 0.5, 3)


def test_a_skip_says_why_and_how_many_were_left_out() -> None:
    run = skipped(Named("a"), "decided", 4)

    assert (run.status, run.reason, run.hits, run.left_out) == (RunStatus.SKIPPED, "decided", 0, 4)
