"""Write every dashboard: `python -m deploy.dashboards`, or `make golden`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson

from deploy.dashboards.decisions import DECISIONS
from deploy.dashboards.detection import DETECTION
from deploy.dashboards.grafana import dashboard_json
from deploy.dashboards.infrastructure import INFRASTRUCTURE
from deploy.dashboards.overview import OVERVIEW
from deploy.dashboards.tenants import TENANTS

FOLDER: Final = Path(__file__).parent.parent / "grafana" / "dashboards"
DASHBOARDS: Final = (OVERVIEW, DETECTION, TENANTS, INFRASTRUCTURE, DECISIONS)


def files() -> Mapping[str, bytes]:
    """Return what the folder holds, by name."""
    pretty = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return {f"{d.uid}.json": orjson.dumps(dashboard_json(d), option=pretty) for d in DASHBOARDS}


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (FOLDER / name).write_bytes(content)


if __name__ == "__main__":
    main()
