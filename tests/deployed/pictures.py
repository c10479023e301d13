"""`python -m tests.deployed.pictures`: the pictures of docs/dashboards.md, out of the same queries as the panels."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from deploy.dashboards.__main__ import DASHBOARDS
from deploy.dashboards.panels import Prom
from deploy.dashboards.picture import Points, picture
from tests.deployed.watched import Scene, scene

FOLDER: Final = Path(__file__).parents[2] / "docs" / "pictures"
DRAWN: Final = {
    "Requests by action": "/s",
    "Added latency": "s",
    "Time of a run, p95": "s",
    "Findings by category": "/s",
}


def drawn(watched: Scene, title: str) -> dict[str, Points]:
    """Return what the panel's graph shows of the traffic, by its legend."""
    panel = next(panel for board in DASHBOARDS for panel in board.panels if panel.title == title)
    found: dict[str, Points] = {}
    for query in panel.queries:
        assert isinstance(query, Prom)
        expr = query.expr.replace("$__rate_interval", "5s").replace("$tenant", ".*")
        for labels, points in watched.prometheus.range(expr, watched.seen.since - 2, watched.seen.at).items():
            found[" ".join(labels) or query.legend] = points
    return found


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ps-pictures-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # the engines' account must be able to pass
        with scene(folder) as watched:
            for title, unit in DRAWN.items():
                file = FOLDER / f"{title.lower().replace(',', '').replace(' ', '-')}.svg"
                file.write_text(picture(title, unit, drawn(watched, title)))


if __name__ == "__main__":
    main()
