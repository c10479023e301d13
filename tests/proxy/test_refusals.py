"""A flood of refusals is counted to the last one, and written down in a few lines."""

from __future__ import annotations

from collections import Counter

from structlog.testing import capture_logs

from proxy.refusals import LINES_A_SECOND, METRIC, REASONS, Refusals


class Counted:
    def __init__(self) -> None:
        self.counts: Counter[tuple[str, tuple[str, ...]]] = Counter()

    def count(self, name: str, labels: tuple[str, ...] = ()) -> None:
        self.counts[name, labels] += 1


def test_a_flood_is_counted_whole_and_written_in_ten_lines_and_one() -> None:
    counted = Counted()
    refusals = Refusals(counted, clock=lambda: 7.0)
    with capture_logs() as logs:
        for _ in range(1000):
            refusals.note("request refused", "invalid_http", status=400)
        refusals.sum_up()
        refusals.sum_up()

    assert counted.counts == {(METRIC, ("invalid_http",)): 1000}
    assert len(logs) == LINES_A_SECOND + 1
    assert logs[-1]["lines"] == 1000 - LINES_A_SECOND


def test_the_next_second_has_its_own_ten_lines() -> None:
    now = [1.9]
    refusals = Refusals(clock=lambda: now[0])
    with capture_logs() as logs:
        for moment in (1.9, 2.0):
            now[0] = moment
            for _ in range(15):
                refusals.note("connection closed", "connection_closed")

    assert len(logs) == 2 * LINES_A_SECOND


def test_a_reason_that_nobody_declared_is_no_label_of_its_own() -> None:
    counted = Counted()
    for reason in ("a client's own words", *sorted(REASONS)):
        Refusals(counted).count(reason)

    assert counted.counts[METRIC, ("other",)] == 1
    assert len(counted.counts) == len(REASONS) + 1
