"""A worker whose judges are the default panel, each asked at a wire of its own on this machine."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson

from policies.types import Policy
from proxy.app import Detection
from proxy.judging.judges import Judges
from proxy.judging.settings import JudgeSettings
from proxy.settings import UpstreamSettings
from proxy.telemetry.metrics import WorkerMetrics
from storage.types import Limits
from tests.harness import Recorder, Script
from tests.proxy.serving import Serving, serving

KIMI, GEMINI, SONOMA = "moonshot-kimi-k2", "gemini-1.5-flash", "sonoma-sky-alpha"
PANEL = (KIMI, GEMINI, SONOMA)
SECRET = "sk-or-v1-judge"


class Alone:
    """What workers share, where there is only one of them."""

    async def seconds_open(self, name: str) -> float:
        return 0.0

    async def may_try(self, name: str, seconds: float) -> bool:
        return True

    async def failed(self, name: str, threshold: int, recovery: float) -> float:
        return 0.0

    async def answered(self, name: str) -> None:
        return


def path_of(judge: str) -> str:
    """Return where on the recorder a judge of the panel is asked."""
    return f"/v1/{judge}/models/m:generateContent" if judge == GEMINI else f"/v1/{judge}/chat/completions"


def judge_settings(recorder: Recorder, **more: Any) -> list[JudgeSettings]:
    return [
        JudgeSettings.model_validate(
            {
                "name": name,
                "dialect": "gemini" if name == GEMINI else "openai",
                "endpoint": f"{recorder.url}/{name}",
                "model": "m",
                "credential": SECRET,
                "priority": number,
                "price": {"input": 0.6, "output": 2.5},
                "allow_networks": ["127.0.0.0/8"],
                **more,
            }
        )
        for number, name in enumerate(PANEL)
    ]


@dataclass(slots=True)
class Judged:
    """The served worker, its judges, and what became of one prompt."""

    served: Serving
    recorder: Recorder
    judges: Judges

    async def ask(self, text: str = "", **headers: str) -> tuple[int, dict[str, Any]]:
        """Ask for a completion; without a text, with one that nobody has judged yet."""
        content = text or f"Which train goes to station {secrets.token_hex(4)} on a Sunday morning?"
        body = {"model": "scripted", "messages": [{"role": "user", "content": content}]}
        return await self.served.ask("/v1/chat/completions", body, **headers)

    def answer_by(self, scripts: Mapping[str, Script]) -> None:
        """Have judges (by name) answer so from now on, and forget who was asked."""
        self.recorder.received.clear()
        self.recorder.scripts = {path_of(name): script for name, script in scripts.items()}

    def forwarded(self) -> int:
        return sum(received.path == "/v1/chat/completions" for received in self.recorder.received)

    def asked(self, judge: str) -> list[dict[str, Any]]:
        return [received.json() for received in self.recorder.received if received.path == path_of(judge)]

    def results(self, row: int = -1) -> dict[str, str]:
        """Return how each judge's call ended, by a row's receipt."""
        receipt = orjson.loads(self.served.rows()[row].coverage).get("judges", {"asked": []})
        return {call["judge"]: call["result"] for call in receipt["asked"]}

    def counted(self) -> dict[tuple[str, ...], float]:
        """Return all counters since the last time: name and labels."""
        rows = [row for datagram in self.served.metrics.take() for row in orjson.loads(datagram)["rows"]]
        return {(name, *labels): value for kind, name, labels, value in (r for r in rows if r[0] == "c") if kind}


@asynccontextmanager
async def judged(
    folder: Path,
    detection: Detection,
    policy: Policy,
    recorder: Recorder,
    scripts: Mapping[str, Script],
    limits: Limits | None = None,
    **more: Any,
) -> AsyncIterator[Judged]:
    """Serve under a policy, with judges that answer by `scripts` (by name)."""
    made: list[Judges] = []

    def build(metrics: WorkerMetrics) -> Judges:
        made.append(Judges(judge_settings(recorder, **more), Alone(), limits or Unbounded(), metrics))
        return made[0]

    upstream = UpstreamSettings(name="at-openai", base_url=recorder.url, credential="ours")
    async with serving(folder, detection, policy, upstream, judges=build) as served:
        try:
            panel = Judged(served, recorder, made[0])
            panel.answer_by(scripts)
            yield panel
        finally:
            await made[0].close()


class Unbounded:
    """Windows that nobody fills."""

    async def take(self, keys: Any, amounts: Any) -> Any:
        return SimpleNamespace(allowed=True, settle=lambda _actual: None)
