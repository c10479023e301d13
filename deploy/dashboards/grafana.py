"""From panels to the JSON that Grafana provisions (schema 39, Grafana 10.4 and newer)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any, Final

from deploy.dashboards.panels import Dashboard, Panel, Query, Shape, Sql

_PROMETHEUS: Final = {"type": "prometheus", "uid": "${prometheus}"}
_POSTGRES: Final = {"type": "grafana-postgresql-datasource", "uid": "${postgres}"}
_HEIGHT: Final = {Shape.FIGURE: 5, Shape.GRAPH: 8, Shape.BARS: 8, Shape.TABLE: 8}
_COLUMNS: Final = 24
# What a click on a spike opens: the decisions of the minutes around it.
_TO_DECISIONS: Final = (
    "/d/ps-decisions?from=${__value.time:date:x}&to=${__to}&var-prometheus=${prometheus}&var-postgres=${postgres}"
)


def dashboard_json(dashboard: Dashboard) -> dict[str, Any]:
    """Return the dashboard as Grafana reads it; the same panels give the same bytes."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["promptshield"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "utc",
        "links": [
            {"type": "dashboards", "title": "PromptShield", "tags": ["promptshield"], "asDropdown": True,
             "includeVars": True, "keepTime": True}
        ],
        "templating": {"list": list(_variables(dashboard))},
        "panels": list(_placed(dashboard)),
    }  # fmt: skip


def _variables(dashboard: Dashboard) -> Iterator[dict[str, Any]]:
    for name, kind in (("prometheus", "prometheus"), ("postgres", "grafana-postgresql-datasource")):
        yield {"name": name, "label": name.title(), "type": "datasource", "query": kind, "current": {}, "hide": 0}
    yield {"name": "runbooks", "label": "Runbooks", "type": "textbox", "query": "/docs/runbooks", "hide": 0,
           "current": {"text": "/docs/runbooks", "value": "/docs/runbooks"}}  # fmt: skip
    if dashboard.tenants:
        yield {
            "name": "tenant", "label": "Tenant", "type": "query", "datasource": _PROMETHEUS, "refresh": 2, "sort": 1,
            "query": {"query": "label_values(promptshield_requests_total, tenant_id)", "refId": "tenant"},
            "multi": True, "includeAll": True, "allValue": ".*", "hide": 0,
            "current": {"text": ["All"], "value": ["$__all"]},
        }  # fmt: skip


def _placed(dashboard: Dashboard) -> Iterator[dict[str, Any]]:
    """Yield the panels in rows from left to right, as they come."""
    x = y = tallest = 0
    for number, panel in zip(count(1), dashboard.panels):
        if x + panel.width > _COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        height = _HEIGHT[panel.shape]
        yield _panel(panel, number) | {"gridPos": {"x": x, "y": y, "w": panel.width, "h": height}}
        x, tallest = x + panel.width, max(tallest, height)


def _panel(panel: Panel, number: int) -> dict[str, Any]:
    links = []
    if panel.runbook:
        links = [
            {"title": f"Runbook: {panel.runbook}", "url": f"${{runbooks}}/{panel.runbook}.md", "targetBlank": True}
        ]
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.red_from is not None:
        steps.append({"color": "red", "value": panel.red_from})
    defaults: dict[str, Any] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.decisions:
        defaults["links"] = [{"title": "The decisions of these minutes", "url": _TO_DECISIONS}]
    if panel.shape is Shape.GRAPH:
        defaults["custom"] = {"fillOpacity": 10, "showPoints": "never"}
    return {
        "id": number,
        "type": panel.shape,
        "title": panel.title,
        "description": panel.description,
        "datasource": _POSTGRES if isinstance(panel.queries[0], Sql) else _PROMETHEUS,
        "links": links,
        "fieldConfig": {"defaults": defaults, "overrides": _overrides(panel)},
        "options": _options(panel),
        "targets": [_target(query, chr(ord("A") + n), panel.shape) for n, query in enumerate(panel.queries)],
    }


def _overrides(panel: Panel) -> list[dict[str, Any]]:
    """A decision's id in a table leads to nothing outside; it is there to be copied into the command line."""
    if panel.shape is not Shape.TABLE or not isinstance(panel.queries[0], Sql):
        return []
    wide = [{"id": "custom.width", "value": 320}]
    return [{"matcher": {"id": "byName", "options": "decision"}, "properties": wide}]


def _options(panel: Panel) -> dict[str, Any]:
    match panel.shape:
        case Shape.GRAPH:
            return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
        case Shape.TABLE:
            return {"showHeader": True, "cellHeight": "sm"}
        case Shape.FIGURE | Shape.BARS:
            return {"reduceOptions": {"calcs": ["lastNotNull"], "values": False}, "orientation": "auto"}


def _target(query: Query, ref: str, shape: Shape) -> dict[str, Any]:
    if isinstance(query, Sql):
        form = "time_series" if shape is Shape.GRAPH else "table"
        return {"refId": ref, "datasource": _POSTGRES, "rawQuery": True, "editorMode": "code", "format": form,
                "rawSql": query.text}  # fmt: skip
    instant = shape is not Shape.GRAPH
    return {"refId": ref, "datasource": _PROMETHEUS, "expr": query.expr, "legendFormat": query.legend or "__auto",
            "instant": instant, "range": not instant,
            "format": "table" if shape is Shape.TABLE else "time_series"}  # fmt: skip
