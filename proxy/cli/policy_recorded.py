"""Whose part of the decision log the commands of `promptshield policy` read, and since when."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from detectors.build import rule_ids
from detectors.errors import PolicyError
from policies.folders import PolicyFolders
from policies.layers import Library
from policies.loader import load_policy
from policies.types import Policy
from proxy.app import Detection
from proxy.cli.moments import parse_moment
from proxy.cli.policy_files import policy_id, refuse
from proxy.held_policies import held_folder
from proxy.recorded_traffic import Traffic, may_decide
from proxy.settings import load_settings

TenantOption = Annotated[str | None, typer.Option(help="Whose decisions (default: the policy file's name).")]
AppOption = Annotated[
    str | None, typer.Option("--app", help="Only of this app (default: all without a policy of their own).")
]
SinceOption = Annotated[str, typer.Option(help="How far back: 24h, 7d, 2027-03-01.")]


def traffic(file: Path, tenant: str | None, app: str | None, since: str) -> Traffic:
    """Return what the options name; `policies/acme.yaml` is about acme, `policies/acme/bot.yaml` about its app bot."""
    try:
        moment = parse_moment(since, datetime.now(UTC))
    except ValueError as exc:
        refuse(f"--since '{since}': {exc}")
    slug, _, own_app = policy_id(file).partition("/")
    return Traffic(tenant or slug, app or own_app or None, moment)


def policies_in_force(config: Path | None, data: Path | None, tenant: str, detection: Detection) -> tuple[Policy, ...]:
    """Return a tenant's policies and the default one as their files say: by these most of what is recorded was decided.
    What does not load is left out; nothing is tested or kept.
    """
    settings, rules = load_settings(config, data=data), rule_ids(detection.rules)
    folders = PolicyFolders(settings.policies_folder, held_folder(settings))
    library, found = Library(folders.own, folders.held), []
    names = folders.stamps() if folders.own.is_dir() else {}
    for name in names:
        if may_decide(name, tenant):
            try:
                found.append(load_policy(folders.file(name), name, rules, library).policy)
            except PolicyError:
                continue
    return tuple(found)
