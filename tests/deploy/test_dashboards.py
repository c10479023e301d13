"""Dashboards and alerts speak of metrics that exist, by labels that they have, and lead to pages that are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from deploy.dashboards.__main__ import DASHBOARDS, FOLDER, files
from deploy.dashboards.panels import Panel, Prom
from proxy.telemetry.metric_names import BY_NAME

ROOT: Final = Path(__file__).parents[2]
RULES: Final[list[dict[str, Any]]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
PANELS: Final = [panel for board in DASHBOARDS for panel in board.panels]
EXPRESSIONS: Final = [q.expr for panel in PANELS for q in panel.queries if isinstance(q, Prom)] + [
    rule["expr"] for rule in RULES
]
_METRIC: Final = re.compile(r"\b((?:promptshield|gen_ai|detection|tenant|circuit)_\w+)(\{[^}]*\})?")
_LABEL: Final = re.compile(r'(\w+)(?:=~|!=|=)"')


def test_the_folder_holds_what_the_code_says() -> None:
    assert {file.name: file.read_bytes() for file in FOLDER.iterdir()} == files()


@pytest.mark.parametrize("expr", EXPRESSIONS)
def test_an_expression_asks_for_declared_metrics_by_their_labels(expr: str) -> None:
    words = {label for metric in BY_NAME.values() for label in metric.labels}
    found = [match for match in _METRIC.finditer(expr) if match[1] not in words]
    for match in found:
        metric = BY_NAME.get(match[1]) or BY_NAME[re.sub(r"_(bucket|sum|count)$", "", match[1])]
        assert set(_LABEL.findall(match[2] or "")) <= {*metric.labels, "le"}
    assert found or "up{" in expr


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_a_panel_says_what_it_shows_and_whom_to_ask(panel: Panel) -> None:
    assert panel.description.endswith(".")
    assert panel.queries
    assert not panel.runbook or panel.runbook in {rule["alert"] for rule in RULES}


def test_no_two_panels_of_a_dashboard_have_one_title() -> None:
    assert all(len({p.title for p in board.panels}) == len(board.panels) for board in DASHBOARDS)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_has_a_page_that_says_what_to_do(rule: dict[str, Any]) -> None:
    page = ROOT / rule["annotations"]["runbook_url"]
    assert page.read_text().startswith(f"# {rule['alert']}\n")
    assert "**Do**" in page.read_text()
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}


def test_every_alert_is_tried_by_promtool() -> None:
    tried = yaml.safe_load((ROOT / "deploy/prometheus/alerts_test.yaml").read_text())["tests"]
    assert {rule["alert"] for rule in RULES} == {test["name"].partition(",")[0] for test in tried}
