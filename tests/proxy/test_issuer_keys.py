"""Keys of issuers: fetched where that is allowed, kept, and not asked for at every token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from detectors.errors import IdentityError
from proxy.issuer_keys import AGAIN, KEPT, LAST, IssuerKeys
from storage.tenants.issuers import Issuer

LOOPBACK = (ip_network("127.0.0.0/8"),)


@dataclass(slots=True)
class Provider:
    """An issuer that counts; `answer` is what it says."""

    url: str = ""
    asked: int = 0
    answer: Any = field(default_factory=lambda: {"keys": [{"kid": "k1", "kty": "RSA"}]})
    status: int = 200
    now: float = 1000.0
    pause: asyncio.Event | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def keys(self, _request: web.Request) -> web.Response:
        self.asked += 1
        if self.pause is not None:
            self.reached.set()
            await self.pause.wait()
        return web.json_response(self.answer, status=self.status)

    @property
    def issuer(self) -> Issuer:
        return Issuer(1, 1, "acme", "llm", self.url, None, {}, "", "", "")


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    made = Provider()
    app = web.Application()
    app.router.add_get("/jwks", made.keys)
    async with TestServer(app) as server:
        made.url = f"http://127.0.0.1:{server.port}/jwks"
        yield made


@pytest.fixture
def keys(provider: Provider) -> IssuerKeys:
    return IssuerKeys(LOOPBACK, lambda: provider.now)


async def test_keys_are_fetched_once_and_again_when_they_are_old(keys: IssuerKeys, provider: Provider) -> None:
    for _ in range(3):
        found = await keys.key(provider.issuer, "k1")
        assert found is not None
    assert provider.asked == 1
    provider.now += KEPT + 1
    await keys.key(provider.issuer, "k1")
    assert provider.asked == 2


async def test_an_unknown_key_is_looked_for_now_and_then(keys: IssuerKeys, provider: Provider) -> None:
    await keys.key(provider.issuer, "k1")
    provider.answer = {"keys": [{"kid": "k2"}]}
    assert await keys.key(provider.issuer, "k2") is None, "made-up key ids must not make us ask"
    provider.now += AGAIN + 1
    assert await keys.key(provider.issuer, "k2") == {"kid": "k2"}
    assert provider.asked == 2


async def test_while_an_issuer_is_away_its_keys_stay_good_for_an_hour(keys: IssuerKeys, provider: Provider) -> None:
    await keys.key(provider.issuer, "k1")
    provider.status = 500
    provider.now += LAST - 1
    assert await keys.key(provider.issuer, "k1") is not None
    provider.now += 2
    with pytest.raises(IdentityError) as away:
        await keys.key(provider.issuer, "k1")
    assert away.value.unavailable


@pytest.mark.parametrize("answer", [[], {"keys": 1}, {"keys": None}, "x"])
async def test_an_answer_that_is_no_key_set_is_none(keys: IssuerKeys, provider: Provider, answer: Any) -> None:
    provider.answer = answer
    with pytest.raises(IdentityError):
        await keys.key(provider.issuer, "k1")


async def test_many_at_the_start_wait_for_one_answer(keys: IssuerKeys, provider: Provider) -> None:
    provider.pause = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        asking = [group.create_task(keys.key(provider.issuer, "k1")) for _ in range(5)]
        await provider.reached.wait()
        provider.pause.set()
    assert all(task.result() is not None for task in asking)
    assert provider.asked == 1


async def test_a_slow_issuer_holds_up_nobody_whose_key_is_known(keys: IssuerKeys, provider: Provider) -> None:
    await keys.key(provider.issuer, "k1")
    provider.now += AGAIN + 1
    provider.pause = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        slow = group.create_task(keys.key(provider.issuer, "made-up"))
        await provider.reached.wait()
        assert await keys.key(provider.issuer, "k1") is not None
        assert await keys.key(provider.issuer, "another-made-up") is None
        assert not slow.done()
        provider.pause.set()


async def test_a_private_address_is_not_asked(provider: Provider) -> None:
    with pytest.raises(IdentityError):
        await IssuerKeys((), lambda: 1000.0).key(provider.issuer, "k1")
    assert provider.asked == 0


async def test_keys_that_the_table_holds_need_nobody(keys: IssuerKeys, provider: Provider) -> None:
    inline = Issuer(1, 1, "acme", "llm", None, {"keys": [{"kid": "k1"}, {"kid": "k2", "use": "enc"}]}, {}, "", "", "")
    assert await keys.key(inline, None) == {"kid": "k1"}
    assert await keys.key(inline, "k2") is None
    assert provider.asked == 0
