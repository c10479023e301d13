"""`promptshield archive`: bring decisions back from a bucket."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from detectors.errors import SettingsError
from proxy.cli.common import ConfigOption, DataOption, progress
from proxy.runtime.processes import run_loop
from proxy.settings import Settings, load_settings
from storage.archive.window import Restored, Window
from storage.sinks.s3 import S3Settings

app = typer.Typer(no_args_is_help=True)
_FORMATS: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
Restore = Callable[[S3Settings, Window, Path], Awaitable[Restored]]


@app.callback()
def archive() -> None:
    """Decisions that an s3 sink has archived."""


@app.command()
def restore(
    start: Annotated[datetime, typer.Option("--from", formats=_FORMATS, help="UTC.")],
    end: Annotated[datetime, typer.Option("--to", formats=_FORMATS, help="UTC; not in it.")],
    out: Annotated[Path, typer.Option(help="A new folder for tenant=<id>/<date>.jsonl.")],
    tenant: Annotated[int | None, typer.Option(min=1, help="Only the tenant of this id.")] = None,
    sink: Annotated[str, typer.Option(help="Which archive, if the settings have several.")] = "",
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Check every object against its manifest and write its decisions as JSON lines; exit 1 if any is damaged."""
    archived = _archive_of(load_settings(config, data=data), sink)
    window = Window(start.replace(tzinfo=UTC), end.replace(tzinfo=UTC), tenant)
    # By name: what reads Parquet and S3 is too heavy to be loaded with every command.
    work: Restore = importlib.import_module("storage.archive.restore").restore

    async def run() -> Restored:
        return await work(archived, window, out)

    restored: Restored = run_loop(run())
    for problem in restored.damaged:
        progress(f"damaged: {problem}")
    print(f"{restored.rows} decisions out of {restored.objects} objects; {len(restored.damaged)} damaged")
    if restored.damaged:
        raise typer.Exit(1)


def _archive_of(settings: Settings, name: str) -> S3Settings:
    archives = {sink.label: sink for sink in settings.sinks if isinstance(sink, S3Settings)}
    if name in archives or (not name and len(archives) == 1):
        return archives[name or next(iter(archives))]
    known = ", ".join(sorted(archives)) or "none"
    raise SettingsError("promptshield.yaml", None, f"name one of the s3 sinks with --sink; there are: {known}")
