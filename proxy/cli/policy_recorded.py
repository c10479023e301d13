"""The decision log as the commands of `promptshield policy` read it: whose, since when, and row by row."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from policies.recorded import Recorded
from proxy.cli.common import find_tenant
from proxy.cli.moments import parse_moment
from proxy.cli.policy_files import policy_id, refuse
from storage.postgres import Database, Row
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
            for row, app in page:
                if self._concerns(row, app):
                    yield _recorded(row, self.tenant, app)

    def _concerns(self, row: Row, app: str) -> bool:
        if self.app is not None:
            return app == self.app
        return bool(row["policy_id"] != f"{self.tenant}/{app}")  # that app has a policy of its own


def traffic(file: Path, tenant: str | None, app: str | None, since: str) -> Traffic:
    """Return what the options name; `policies/acme.yaml` is about acme, `policies/acme/bot.yaml` about its app bot."""
    try:
        moment = parse_moment(since, datetime.now(UTC))
    except ValueError as exc:
        refuse(f"--since '{since}': {exc}")
    slug, _, own_app = policy_id(file).partition("/")
    return Traffic(tenant or slug, app or own_app or None, moment)


def _recorded(row: Row, tenant: str, app: str) -> Recorded:
    return Recorded(
        row["id"], row["at"], tenant, app, row["key_id"], row["dialect"], row["route"], row["model"], row["upstream"],
        row["streaming"], row["network"], row["outcome"], row["intended_action"], row["scores"],
        row["scores_overflow"], row["facts"], row["coverage"], row["degraded"], row["policy_revision"],
    )  # fmt: skip
