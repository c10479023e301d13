"""What the commands of `promptshield policy` share: finding a policy by what stands on the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from detectors.build import rule_ids
from detectors.documents import nearest
from detectors.errors import PolicyError
from detectors.lexicon import Lexicon
from detectors.signature_scan import SignatureScan
from policies.layers import pack_names, preset_names
from policies.loader import LoadedPolicy, load_policy, load_preset
from policies.testing import TEST_FILES
from proxy.additions.additions import additions
from proxy.additions.operator_packs import load_folders
from proxy.app import Detection
from proxy.runtime.processes import run_loop
from proxy.settings import Settings

FileArgument = Annotated[Path, typer.Argument(help="A policy file, or preset/standard, pack/gdpr and the like.")]
SignaturesOption = Annotated[
    list[Path] | None,
    typer.Option("--signatures", help="A folder of your own signatures that are read, too; again for more."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="As one JSON document.")]


def load_named(file: Path, detection: Detection, signatures: Sequence[SignatureScan] = ()) -> LoadedPolicy:
    """Load a policy file, or a preset or pack by name; with `signatures` of the operator's, which are read beside its
    words, and are then all of them that it may name. Raises PolicyError.
    """
    named = (*preset_names(), *pack_names())
    if str(file) in named:
        loaded = load_preset(str(file))
    elif not file.exists() and (hint := nearest(str(file), named)):
        raise PolicyError(file, None, f"there is no such file{hint}")
    else:
        known = frozenset(rule_ids(detection.rules)).union(*(pack.ids for pack in signatures))
        loaded = load_policy(file, policy_id(file), known)
    return loaded.looking_for(lambda lexicon: lexicon.with_packs(signatures)) if signatures else loaded


def own_signatures(folders: Sequence[Path] | None, detection: Detection) -> tuple[SignatureScan, ...]:
    """Return what `--signatures` names. Raises SignatureError."""
    return load_folders(folders or (), detection.views)


def installed_signatures(settings: Settings, detection: Detection, policy: str) -> Callable[[Lexicon], Lexicon]:
    """Return what adds to a policy's words the signatures that this installation's workers add to them."""
    packs = additions(settings, detection.views).packs
    run_loop(packs.reload())
    return lambda lexicon: packs.lexicon(lexicon, policy.partition("/")[0])


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
