"""Only our own proxy may say where an exchange was going."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import pytest
from aiohttp import web

from detectors.errors import EdgeError
from proxy.egress.door import HEADER, _count, _locate, client_of, open_door
from proxy.egress.settings import EgressSettings

OWN = {"hosts": {"llm.corp.example": {"base_url": "http://127.0.0.1:9/api/v1/"}}}
TOKEN = "0123456789abcdef" * 4
DOOR = open_door(TOKEN, EgressSettings.model_validate(OWN))


def test_what_did_not_come_by_the_proxy_goes_where_it_always_went() -> None:
    assert DOOR.destination({}) is None


def test_our_proxy_names_a_host_and_that_is_the_upstream() -> None:
    upstream = DOOR.destination({HEADER: f"llm.corp.example {TOKEN}"})
    assert upstream is not None
    assert (upstream.base_url, upstream.credential) == ("http://127.0.0.1:9/api/v1", "")


@pytest.mark.parametrize(
    "said",
    [
        "",
        "llm.corp.example",
        f"llm.corp.example {TOKEN}x",
        f"evil.example {TOKEN}",
        "api.openai.com é",
        "api.openai.com \udcff",
        TOKEN,
    ],
)
def test_nobody_else_may(said: str) -> None:
    with pytest.raises(EdgeError) as caught:
        DOOR.destination({HEADER: said})
    assert caught.value.status == 401


class Counted:
    """What was counted, by result."""

    def __init__(self) -> None:
        self.results: Counter[str] = Counter()

    def count(self, name: str, labels: tuple[str, ...], amount: float = 1) -> None:
        assert name == "promptshield_egress_connections_total"
        self.results[labels[0]] += int(amount)


def test_what_our_proxy_saw_pass_is_counted() -> None:
    counted = Counted()
    for said in ("read=3,untouched=1", "untouched=2"):
        assert _count(counted, {"x-promptshield-egress-counts": said}).status == 204  # type: ignore[arg-type]
    assert counted.results == {"read": 3, "untouched": 3}


@pytest.mark.parametrize("said", ["", "read", "read=", "read=-1", "read=1,", "stolen=1", "read=1e9", "read=1234567890"])
def test_what_is_no_count_is_refused_whole(said: str) -> None:
    counted = Counted()
    with pytest.raises(EdgeError) as caught:
        _count(counted, {"x-promptshield-egress-counts": said})  # type: ignore[arg-type]
    assert (caught.value.status, counted.results) == (400, {})


@pytest.mark.parametrize(
    ("place", "status", "address"),
    [
        ("93.184.215.14 443", 200, "93.184.215.14"),
        ("10.20.0.7 443", 200, "10.20.0.7"),  # allowed
        ("10.21.0.7 443", 403, ""),
        ("localhost 8001", 403, ""),
        ("169.254.169.254 80", 403, ""),
        ("2130706433 80", 403, ""),  # 127.0.0.1, as a number
        ("nowhere.invalid 443", 404, ""),
        (f"{'a' * 70}.example 443", 404, ""),
        ("10.20.0.7 99999999", 404, ""),
        ("10.20.0.7", 404, ""),
        ("", 404, ""),
    ],
)
async def test_our_proxy_is_told_where_it_may_connect(place: str, status: int, address: str) -> None:
    door = open_door(TOKEN, EgressSettings.model_validate({"allow_networks": ["10.20.0.0/16"]}))
    told = await _locate(door, {"x-promptshield-egress-place": place})
    assert (told.status, told.text if status == 200 else "") == (status, address)


@pytest.mark.parametrize(
    ("said", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:10.0.0.5", "10.0.0.5"),
        ("rubbish", ""),
        ("", ""),
    ],
)
def test_who_our_proxy_speaks_for_is_the_client(said: str, client: str) -> None:
    assert client_of({"x-promptshield-egress-client": said}) == client


async def test_nobody_is_sent_to_ourselves_whatever_network_is_allowed() -> None:
    door = open_door(TOKEN, EgressSettings.model_validate({"allow_networks": ["127.0.0.0/8"]}), own=(8000, 8001))
    statuses = {
        place: (await _locate(door, {"x-promptshield-egress-place": place})).status
        for place in ("127.0.0.1 8001", "[::ffff:127.0.0.1] 8001", "localhost 8000", "127.0.0.1 9000", "1.1.1.1 8000")
    }
    assert list(statuses.values()) == [403, 403, 403, 200, 200], statuses


async def test_one_clients_slow_names_stop_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    answering = threading.Event()

    def look_up(name: str, *_args: object, **_more: object) -> list[tuple[object, ...]]:
        if name.startswith("slow"):
            answering.wait(30)
        return [(2, 1, 6, "", ("93.184.215.14", 443))]

    monkeypatch.setattr("socket.getaddrinfo", look_up)
    door = open_door(TOKEN, EgressSettings())

    def ask(name: str, client: str) -> asyncio.Task[web.Response]:
        headers = {"x-promptshield-egress-place": f"{name} 443", "x-promptshield-egress-client": client}
        return asyncio.ensure_future(_locate(door, headers))

    slow = [ask(f"slow{number}.example", "192.0.2.1") for number in range(60)]
    try:
        async with asyncio.timeout(3):
            assert (await ask("quick.example", "192.0.2.2")).status == 200
            assert (await ask("quick.example", "192.0.2.1")).status == 404  # it has enough to wait for
    finally:
        answering.set()
    assert [(await one).status for one in slow].count(200) == 4
    for _ in range(100):
        await asyncio.sleep(0.01)
    assert not door.asking


async def test_name_servers_that_do_not_answer_keep_nobody_else_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    answering = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_more: answering.wait(30))
    asked = [asyncio.ensure_future(_locate(DOOR, {"x-promptshield-egress-place": "a.example 443"})) for _ in range(40)]
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(10):
            await asyncio.to_thread(lambda: None)
    finally:
        answering.set()
        for each in asked:
            each.cancel()
        await asyncio.wait(asked)
