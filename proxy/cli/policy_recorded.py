"""Whose part of the decision log the commands of `promptshield policy` read, and since when."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from proxy.cli.moments import parse_moment
from proxy.cli.policy_files import policy_id, refuse
from proxy.recorded_traffic import Traffic

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
