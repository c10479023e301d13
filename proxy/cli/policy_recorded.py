"""The decision log as the commands of `promptshield policy` read it: whose, since when, and row by row."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from policies.recorded import Recorded
from proxy.cli.common import find_tenant
from proxy.cli.moments import parse_moment
from proxy.cli.policy_files import refuse
from storage.postgres import Database
from storage.recorded_decisions import recorded_decisions

TenantOption = Annotated[str | None, typer.Option(help="Whose decisions (default: the policy file's name).")]
AppOption = Annotated[
    str | None, typer.Option("--app", help="Only of this app (default: all without a policy of their own).")
]
SinceOption = Annotated[str, typer.Option(help="How far back: 24h, 7d, 2027-03-01.")]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Which recorded decisions a policy is held against."""

    tenant: str
    app: str | None
    since: datetime

    async def rows(self, database: Database) -> AsyncIterator[Recorded]:
        """Yield them, oldest first. Raises StorageError."""
        tenant = await find_tenant(database, self.tenant)
        async for page in recorded_decisions(database, tenant.id, self.since):
            for row in page:
                if self._concerns(row):
                    yield _recorded(row, self.tenant)

    def _concerns(self, row: dict[str, Any]) -> bool:
        if self.app is not None:
            return bool(row["app"] == self.app)
        return bool(row["policy_id"] != f"{self.tenant}/{row['app']}")  # that app has a policy of its own


def traffic(file: Path, tenant: str | None, app: str | None, since: str) -> Traffic:
    """Return what the options name; `policies/acme.yaml` is about acme, `policies/acme/bot.yaml` about its app bot."""
    try:
        moment = parse_moment(since, datetime.now(UTC))
    except ValueError as exc:
        refuse(f"--since '{since}': {exc}")
    return Traffic(tenant or file.stem, app, moment)


def _recorded(row: dict[str, Any], tenant: str) -> Recorded:
    return Recorded(
        id=str(row["id"]),
        at=row["at"],
        tenant=tenant,
        app=row["app"],
        key_id=row["key_id"],
        dialect=row["dialect"],
        route=row["route"],
        model=row["model"],
        upstream=row["upstream"],
        streaming=row["streaming"],
        network=row["network"],
        outcome=row["outcome"],
        intended_action=row["intended_action"],
        scores=row["scores"],
        scores_overflow=row["scores_overflow"],
        facts=row["facts"],
        coverage=row["coverage"],
        degraded=row["degraded"],
        policy_revision=row["policy_revision"],
    )
