"""The control plane's API over HTTP in this process, and tokens for whoever asks."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from proxy.control.access.tokens import Subject
from proxy.control.access.types import AdminRole
from proxy.control.mounting import mount
from proxy.control.parts import ControlParts
from storage.types import Tenant

Client = TestClient[web.Request, web.Application]


@asynccontextmanager
async def serving(parts: ControlParts) -> AsyncIterator[Client]:
    app = web.Application()
    mount(app, parts)
    async with TestClient(TestServer(app)) as client:
        yield client


async def token(parts: ControlParts, role: AdminRole, tenant: Tenant | None = None) -> str:
    """Return an access token of a new service account."""
    own, slug = (None, None) if tenant is None else (tenant.id, tenant.slug)
    opened = await parts.access.service_accounts.create(f"robot-{secrets.token_hex(6)}", role, own)
    subject = Subject("service-account", opened.account.id, str(opened.secret_id), role, slug)
    return await parts.access.tokens.issue(subject)


def bearer(access_token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access_token}"}
