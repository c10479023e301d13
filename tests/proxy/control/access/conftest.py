"""The control plane's access on a database of its own, asked over HTTP; hashes cost little, and tests set the clock."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyotp
import pytest
from aiohttp import CookieJar, web
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher

from proxy.control.access.build import Access, build_access
from proxy.control.access.http_rules import browser_rules
from proxy.control.access.mount import mount_access
from proxy.control.access.passwords import Passwords
from proxy.control.access.types import AdminRole
from proxy.control.settings import ControlSettings
from proxy.settings import Settings
from storage.accounts.users import NewUser, User
from storage.embedded import EngineUrls
from storage.keys.house_keys import HouseKeys, open_house_keys
from storage.migrate import migrate
from storage.postgres import Database
from storage.types import Tenant
from tests.storage.conftest import DatabaseUrls, as_superuser, database, neighbour, new_database, tenant

__all__ = ["as_superuser", "database", "neighbour", "tenant"]
PASSWORD = "correct-zebra-battery-42"
MASTER_KEY = "kQ3zT7vPp2mN9xR4sL6wB1cY8dF5gH0j"
Browser = TestClient[Any, Any]


@dataclass(slots=True)
class Clock:
    now: float

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class Plane:
    """Access as it is asked."""

    access: Access
    clock: Clock
    open_browser: Callable[[], Awaitable[Browser]]

    async def user(
        self, role: AdminRole = AdminRole.PLATFORM_ADMIN, tenant: Tenant | None = None, *, must_change: bool = False
    ) -> User:
        hashed = await self.access.passwords.hash(PASSWORD)
        name = f"u{secrets.token_hex(6)}@acme.example"
        return await self.access.users.create(
            NewUser(name, role, tenant.id if tenant else None, hashed, must_change=must_change)
        )

    async def enrol(self, user: User) -> tuple[pyotp.TOTP, tuple[str, ...]]:
        """Turn a second factor on; return the phone, and the recovery codes."""
        secret = await self.access.codes.begin(user.id)
        assert secret is not None
        phone = pyotp.TOTP(secret)
        codes = await self.access.codes.confirm(user.id, phone.at(int(self.clock.now)))
        assert codes is not None
        self.clock.now += 60
        return phone, codes


Build = Callable[..., Awaitable[Plane]]


@pytest.fixture(scope="session")
def migrated(engines: EngineUrls) -> Iterator[DatabaseUrls]:
    """One database for all tests of this folder: each makes users and tenants of its own."""
    with new_database(engines) as urls:
        asyncio.run(migrate(urls.owner_url, urls.login))
        yield urls


@pytest.fixture(scope="session")
def house_keys(tmp_path_factory: pytest.TempPathFactory) -> HouseKeys:
    return open_house_keys(Path(tmp_path_factory.mktemp("keys")) / "keys", {"PROMPTSHIELD_KEK": "k" * 40})


@pytest.fixture
async def build(database: Database, house_keys: HouseKeys) -> AsyncIterator[Build]:
    """Build a plane with settings of one's own."""
    clients: list[Browser] = []

    async def build_one(master_key: str = "", **control: Any) -> Plane:
        clock = Clock(time.time())
        settings = Settings(control=ControlSettings(**control), master_key=master_key)
        built = build_access(settings, database, house_keys, clock)
        cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        access = replace(built, passwords=cheap, shortest_failure=0.0)
        app = web.Application(middlewares=[browser_rules(access.settings)])
        mount_access(app, access)

        async def open_browser() -> Browser:
            served = clients[0].server if len(clients) and clients[0].app is app else TestServer(app)
            client: Browser = TestClient(served, cookie_jar=CookieJar(unsafe=True))
            await client.start_server()
            clients.append(client)
            return client

        return Plane(access, clock, open_browser)

    yield build_one
    for client in reversed(clients):
        await client.close()


@pytest.fixture
async def plane(build: Build) -> Plane:
    return await build(master_key=MASTER_KEY)


@pytest.fixture
async def browser(plane: Plane) -> Browser:
    return await plane.open_browser()


async def sign_in(browser: Browser, name: str, password: str = PASSWORD, **form: str) -> Any:
    """Send the sign-in form; return the answer, not followed."""
    return await browser.post("/sign-in", data={"name": name, "password": password, **form}, allow_redirects=False)


async def tokens_of(browser: Browser, user: User) -> dict[str, Any]:
    answer = await browser.post("/api/v1/auth/sign-in", json={"name": user.name, "password": PASSWORD})
    assert answer.status == 200, await answer.text()
    found: dict[str, Any] = await answer.json()
    return found


async def csrf_of(browser: Browser) -> str:
    """Take the token out of the account page's form, as a browser does."""
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', await (await browser.get("/account")).text())
    assert found is not None
    return found[1]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
