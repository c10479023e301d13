"""`promptshield engine`: the detection chain as a service of its own, for proxies with DETECTION_ENGINE_URL."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from detectors.documents import Document
from detectors.errors import SettingsError
from detectors.types import Stage
from proxy.app import load_detection
from proxy.cli.common import ConfigOption
from proxy.engine.server import EngineHandler, run_engine
from proxy.engine_settings import EngineSettings
from proxy.runtime.processes import run_loop, take_descriptors
from proxy.runtime.supervisor import insist_on_c_parser
from proxy.settings import load_settings


def engine(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Where to listen (default: engine.host, 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="The port (default: engine.port, 8080; 0: any).")] = None,
) -> None:
    """Serve POST /engine/v1/inspect and GET /health until Ctrl-C or SIGTERM. It keeps nothing of what it reads."""
    insist_on_c_parser()
    take_descriptors()
    settings = load_settings(config)
    given = {key: value for key, value in {"host": host, "port": port}.items() if value is not None}
    asked = settings.engine.model_dump() | given
    own = Document(Path("command line"), {"engine": asked}, None, SettingsError).validate(_Asked).engine
    detection = load_detection()
    loaded = [detector.name for detector in detection.chain.detectors if Stage.PATTERN < detector.stage < Stage.JUDGE]
    panel = [judge.name for judge in sorted(settings.judges, key=lambda judge: judge.priority)]
    run_loop(run_engine(EngineHandler(detection.chain, own, (*panel, *loaded)), own, _say_ready))


class _Asked(BaseModel):
    """The engine's settings as the command line leaves them."""

    engine: EngineSettings


def _say_ready(address: str) -> None:
    print(f"The detection engine is ready at {address}: POST /engine/v1/inspect, GET /health", flush=True)
