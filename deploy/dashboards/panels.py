"""The words of a dashboard: what a panel asks, and how it shows the answer. No JSON yet."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Shape(StrEnum):
    """Grafana's name of a panel's kind."""

    GRAPH = "timeseries"
    FIGURE = "stat"
    BARS = "bargauge"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Prom:
    """A PromQL query; `instant` asks for the newest value alone, which is what figures, bars and tables show."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Sql:
    """A query over rollups or decisions, by names without a schema: a tenant's login finds its own views by them."""

    text: str


Query = Prom | Sql


@dataclass(frozen=True, slots=True)
class Panel:
    """One question. `unit` is Grafana's name of it; `runbook` the alert whose page helps; `decisions` links a spike to
    the decisions of those minutes.
    """

    title: str
    description: str
    queries: tuple[Query, ...]
    unit: str = "short"
    shape: Shape = Shape.GRAPH
    runbook: str = ""
    width: int = 8
    decisions: bool = False
    red_from: float | None = None


@dataclass(frozen=True, slots=True)
class Dashboard:
    uid: str
    title: str
    description: str
    panels: tuple[Panel, ...]
    tenants: bool = True  # has the variable `tenant`
