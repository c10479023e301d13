"""`promptshield config`: what `promptshield.yaml` may say, and whether it does."""

from __future__ import annotations

import orjson
import typer

from proxy.cli.common import ConfigOption, DataOption
from proxy.settings import load_settings
from proxy.settings_schema import settings_schema

app = typer.Typer(no_args_is_help=True)


@app.command()
def check(config: ConfigOption = None, data: DataOption = None) -> None:
    """Read the configuration and the environment as a start would, and say what is wrong. `doctor` tries the parts."""
    settings = load_settings(config, data=data)
    where = (
        settings.file if settings.file is not None and settings.file.exists() else "no file: every key has a default"
    )
    print(f"ok: {where}")


@app.command()
def schema() -> None:
    """Print the JSON Schema that editors check promptshield.yaml against."""
    print(orjson.dumps(settings_schema(), option=orjson.OPT_INDENT_2).decode())
