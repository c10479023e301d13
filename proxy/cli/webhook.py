"""`promptshield webhook`: what the webhooks of policies are signed with."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from policies.schema import WEBHOOK_URL
from proxy.cli.common import ConfigOption, DataOption, find_tenant, with_database
from proxy.control.policy_webhooks import webhook_secret
from proxy.settings import Settings
from storage.keys.house_keys import HouseKeys
from storage.postgres import Database

app = typer.Typer(no_args_is_help=True)


@app.callback()
def webhooks() -> None:
    """What the webhooks of policies are signed with."""


@app.command()
def secret(
    tenant: Annotated[str, typer.Argument(help="Whose decisions are told of.")],
    url: Annotated[str, typer.Argument(help="The address, exactly as it stands in the policy.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Print the secret that calls of an address are signed with (standardwebhooks.com); each address has its own."""
    if re.fullmatch(WEBHOOK_URL, url) is None:
        raise typer.BadParameter("no policy can name it: an address begins with https:// or http://", param_hint="URL")

    async def work(database: Database, house_keys: HouseKeys, _settings: Settings) -> str:
        return webhook_secret(house_keys.tenant_content_key((await find_tenant(database, tenant)).id), url)

    print(with_database(config, data, work))
