"""What the commands of `promptshield policy` share: finding a policy by what stands on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from detectors.build import rule_ids
from policies.layers import pack_names, preset_names
from policies.loader import LoadedPolicy, load_policy, load_preset
from policies.testing import TEST_FILES
from proxy.app import Detection

FileArgument = Annotated[Path, typer.Argument(help="A policy file, or preset/standard, pack/gdpr and the like.")]
JsonOption = Annotated[bool, typer.Option("--json", help="As one JSON document.")]


def load_named(file: Path, detection: Detection) -> LoadedPolicy:
    """Load a policy file, or a preset or pack by name. Raises PolicyError."""
    if str(file) in (*preset_names(), *pack_names()):
        return load_preset(str(file))
    return load_policy(file, policy_id(file), rule_ids(detection.rules))


def policy_id(file: Path) -> str:
    """Return whose policy a file would be: `policies/acme.yaml` is acme's, `policies/acme/bot.yaml` its app's."""
    folder = file.resolve().parent
    tenant = any((folder.parent / name).is_file() for name in (f"{folder.name}.yaml", "default.yaml", "platform.yaml"))
    return f"{folder.name}/{file.stem}" if tenant else file.stem


def tests_beside(file: Path) -> Path:
    """Return where the tests of a policy file stand that are not in it."""
    return file.with_name(f"{file.stem}{TEST_FILES}")


def refuse(problem: str) -> NoReturn:
    """End a command that was called wrongly: one line, exit 2."""
    typer.echo(f"promptshield: {problem}", err=True)
    raise typer.Exit(2)
