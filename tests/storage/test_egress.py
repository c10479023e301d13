"""Where nobody may be sent, and what the other side can do to us."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest
from aiohttp import web

from detectors.errors import UnavailableError
from storage.egress import Destination, Egress, is_refused
from tests.storage.sinks.receivers import HttpReceiver

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@pytest.fixture
async def receiver() -> AsyncIterator[HttpReceiver]:
    started = HttpReceiver()
    await started.come_back()
    yield started
    await started.go_away()


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - an address to refuse, not to listen at
        "127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200",
        "192.0.0.192", "224.0.0.1", "255.255.255.255", "168.63.129.16", "198.18.0.1", "::1", "::", "fe80::1",
        "fe80::1%eth0", "fd00:ec2::254", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001::1", "2001:db8::1", "::127.0.0.1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert is_refused(address)
    assert is_refused(address, [ip_network("203.0.113.0/24")])


@pytest.mark.parametrize("address", ["8.8.8.8", "::ffff:8.8.8.8", "2606:4700::1111", "172.32.0.1", "100.128.0.1"])
def test_a_public_address_is_not(address: str) -> None:
    assert not is_refused(address)


def test_a_network_that_the_operator_named_is_allowed_in_any_spelling() -> None:
    assert not is_refused("127.0.0.1", LOOPBACK)
    assert not is_refused("::ffff:127.0.0.1", LOOPBACK)
    assert is_refused("10.0.0.1", LOOPBACK)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "127.1", "[::ffff:127.0.0.1]"])
async def test_no_spelling_of_loopback_is_connected_to(host: str, receiver: HttpReceiver) -> None:
    for scheme in ("http", "https"):
        egress = Egress(Destination(f"{scheme}://{host}:{receiver.port}/"), connections=1)
        with pytest.raises(UnavailableError):
            await egress.post(b"x", {})
        await egress.close()
    assert receiver.calls == []


async def test_a_name_is_judged_by_what_it_resolves_to_when_it_is_connected_to(
    receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def rebound(host: object, *_: object, **__: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", receiver.port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    egress = Egress(Destination(f"http://public.example:{receiver.port}/"), connections=1)
    with pytest.raises(UnavailableError, match=r"^public\.example cannot be reached"):
        await egress.post(b"x", {})
    await egress.close()
    assert asked == ["public.example"]
    assert receiver.calls == []


async def test_plain_http_is_spoken_in_named_networks_only(receiver: HttpReceiver) -> None:
    egress = Egress(Destination("http://8.8.8.8:9/"), connections=1)
    with pytest.raises(UnavailableError):
        await egress.post(b"x", {})
    await egress.close()
    allowed = Egress(Destination(f"http://127.0.0.1:{receiver.port}/", LOOPBACK), connections=1)
    assert (await allowed.post(b"x", {})).status == 204
    await allowed.close()


async def test_a_redirect_is_an_answer_and_not_followed(receiver: HttpReceiver) -> None:
    receiver.answers = [web.Response(status=302, headers={"Location": f"http://127.0.0.1:{receiver.port}/other"})]
    egress = Egress(Destination(f"http://127.0.0.1:{receiver.port}/", LOOPBACK), connections=1)
    assert (await egress.post(b"x", {})).status == 302
    await egress.close()
    assert len(receiver.calls) == 1


async def test_an_endless_answer_is_not_read_to_its_end(receiver: HttpReceiver) -> None:
    receiver.answers = [web.Response(body=b"x" * (8 << 20)), web.Response(status=201)]
    egress = Egress(Destination(f"http://127.0.0.1:{receiver.port}/", LOOPBACK), connections=1)
    assert (await egress.post(b"x", {})).status == 200
    assert (await egress.post(b"x", {})).status == 201
    await egress.close()


@pytest.mark.parametrize(("text", "seconds"), [("7", 7.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)])
async def test_a_pause_is_read_where_it_is_a_number(text: str, seconds: float | None, receiver: HttpReceiver) -> None:
    receiver.answers = [web.Response(status=429, headers={"Retry-After": text})]
    egress = Egress(Destination(f"http://127.0.0.1:{receiver.port}/", LOOPBACK), connections=1)
    assert (await egress.post(b"x", {})).retry_after == seconds
    await egress.close()


async def test_a_receiver_that_never_answers_costs_the_timeout(receiver: HttpReceiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        egress = Egress(Destination(url, LOOPBACK, timeout=0.05), connections=1)
        with pytest.raises(UnavailableError, match="Timeout"):
            await egress.post(b"x", {})
        await egress.close()
