"""Every panel of every dashboard shows what was really going on."""

from __future__ import annotations

import math

import pytest

from deploy.dashboards.__main__ import DASHBOARDS
from deploy.dashboards.panels import Dashboard, Panel, Prom
from tests.deployed.expected import EXPECTED
from tests.deployed.watched import Scene

PROM = [
    (board, panel, number)
    for board in DASHBOARDS
    for panel in board.panels
    for number, query in enumerate(panel.queries)
    if isinstance(query, Prom)
]


def test_there_is_an_account_of_every_panel() -> None:
    known = {(board, title): len(accounts) for board, titles in EXPECTED.items() for title, accounts in titles.items()}
    shown = {(b.uid, p.title): len(p.queries) for b, p, _ in PROM}
    assert known == shown


@pytest.mark.parametrize(("board", "panel", "number"), PROM, ids=lambda value: getattr(value, "title", str(value)))
def test_a_panel_shows_what_was_sent_logged_or_measured(
    board: Dashboard, panel: Panel, number: int, watched: Scene
) -> None:
    query = panel.queries[number]
    assert isinstance(query, Prom)
    window = f"{watched.seen.window:.0f}s"
    expr = query.expr.replace("$__rate_interval", window).replace("$__range", window).replace("$tenant", ".*")
    shown = watched.prometheus.ask(expr, watched.seen.at)
    expected = EXPECTED[board.uid][panel.title][number](watched.seen)

    values = {labels: value for labels, value in shown.items() if value and not math.isnan(value)}
    wanted = {labels: bounds for labels, bounds in expected.items() if bounds[1]}
    assert {labels for labels, (low, _) in wanted.items() if low > 0} <= set(values) <= set(wanted), values
    for labels, value in values.items():
        low, high = wanted[labels]
        assert low * (1 - 1e-6) <= value <= high * (1 + 1e-6), (labels, value, (low, high))
