"""A real Prometheus over the deployed configuration, asked as Grafana asks it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlencode
from urllib.request import urlopen

DEPLOYED: Final = Path(__file__).parents[2] / "deploy" / "prometheus"
Labels = tuple[str, ...]


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port: int = opened.getsockname()[1]
        return port


@dataclass(slots=True)
class Prometheus:
    """Scrapes one control plane each second; the waits of alerts (`for:`) are cut to one second."""

    folder: Path
    target: str
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir()
        config = (DEPLOYED / "prometheus.yaml").read_text()
        config = config.replace("15s", "1s").replace("promptshield:8001", self.target)
        (self.folder / "prometheus.yaml").write_text(config)
        (self.folder / "alerts.yaml").write_text(_hurried((DEPLOYED / "alerts.yaml").read_text()))
        self.port = free_port()
        program = shutil.which("prometheus")
        assert program is not None
        self.process = subprocess.Popen(
            [
                program, f"--config.file={self.folder}/prometheus.yaml", f"--storage.tsdb.path={self.folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=error",
            ]
        )  # fmt: skip
        self.wait_for(lambda: self.ask("up") == {("promptshield",): 1.0}, 20)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)

    def ask(self, expr: str, at: float | None = None) -> Mapping[Labels, float]:
        """Return an instant query's values by those of their labels, by the labels' names, without `instance`."""
        found = self._get("query", query=expr, **({} if at is None else {"time": str(at)}))["result"]
        return {_values(item["metric"]): float(item["value"][1]) for item in found}

    def range(self, expr: str, since: float, until: float) -> Mapping[Labels, list[tuple[float, float]]]:
        """Return what a graph of an expression shows, second by second; NaN is no point."""
        found = self._get("query_range", query=expr, start=str(since), end=str(until), step="1")["result"]
        values = {_values(item["metric"]): [(float(x), float(y)) for x, y in item["values"]] for item in found}
        return {labels: kept for labels, points in values.items() if (kept := [p for p in points if p[1] == p[1]])}

    def samples(self, selector: str, at: float) -> list[tuple[float, float]]:
        """Return the raw samples of one series in a range, as time and value."""
        (series,) = self._get("query", query=selector, time=str(at))["result"]
        return [(float(when), float(value)) for when, value in series["values"]]

    def firing(self) -> set[str]:
        alerts = self._get("alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def wait_for(self, holds: Any, patience: float) -> None:
        deadline = time.monotonic() + patience
        while not _tried(holds):
            assert time.monotonic() < deadline, "it never came"
            time.sleep(0.2)  # noqa: TID251 - Prometheus has nothing to wait on

    def _get(self, what: str, **asked: str) -> Any:
        url = f"http://127.0.0.1:{self.port}/api/v1/{what}?{urlencode(asked)}"
        with urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]


def _tried(holds: Any) -> bool:
    try:
        return bool(holds())
    except OSError:
        return False


def _hurried(rules: str) -> str:
    return "\n".join("        for: 1s" if line.lstrip().startswith("for: ") else line for line in rules.splitlines())


def _values(metric: Mapping[str, str]) -> Labels:
    return tuple(metric[name] for name in sorted(metric) if name not in {"__name__", "instance"})
