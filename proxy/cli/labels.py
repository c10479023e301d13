"""`promptshield decisions label`: say of decisions what they were, so that a tenant's head can learn from it."""

from __future__ import annotations

from typing import Annotated

import typer

from detectors.errors import StorageError
from proxy.cli.common import ConfigOption, DataOption, actor, with_database
from proxy.settings import Settings
from storage.accounts.admin_audit import AdminAudit
from storage.decisions.decisions import DecisionReader
from storage.decisions.labels import Labels
from storage.keys.house_keys import HouseKeys
from storage.postgres import Database

_WORDS = ("attack", "benign", "none")


def label(
    word: Annotated[str, typer.Argument(metavar="LABEL", help="attack, benign, or none to take it back.")],
    decision_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="The decisions.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Say what decisions were; `promptshield model fit` learns from it, as it does from decided reviews."""
    if word not in _WORDS:
        raise typer.BadParameter(f"one of {', '.join(_WORDS)}", param_hint="LABEL")

    async def work(database: Database, _keys: HouseKeys, _settings: Settings) -> None:
        labels, reader, audit = Labels(database), DecisionReader(database), AdminAudit(database)
        for decision_id in decision_ids:
            row = await reader.show(decision_id)
            if row is None:
                raise StorageError(f"there is no decision {decision_id}")
            tenant_id = row["tenant_id"]
            if word == "none":
                await labels.take_back(tenant_id, row["id"])
            else:
                await labels.say(tenant_id, row["id"], attack=word == "attack", by=actor())
            await audit.add(actor(), "labelDecision", tenant_id, row["id"], {"after": {"label": word}})

    with_database(config, data, work)
    print(f"{len(decision_ids)} labelled {word}")
