"""Where requests come from, and where answers may send a browser."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from proxy.control.access.places import Place, is_our_page, is_secure, network_of, way_back
from proxy.control.settings import ControlSettings

PROXIED = ControlSettings(proxies=["127.0.0.0/8", "10.0.0.0/8"])


class Transport:
    """A connection from `peer`."""

    def __init__(self, peer: str) -> None:
        self._peer = peer

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self._peer, 1) if name == "peername" else default

    def is_closing(self) -> bool:
        return False


def request(peer: str = "127.0.0.1", **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request("POST", "/", headers={"Host": "control.example:8001"} | named, transport=Transport(peer))


@pytest.mark.parametrize(
    ("peer", "forwarded", "network"),
    [
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),  # nobody's proxy: what it says counts for nothing
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),  # the client can write what is further left
        ("127.0.0.1", "203.0.113.9, 10.1.1.1", "203.0.113.9"),
        ("127.0.0.1", "rubbish", "127.0.0.1"),
        ("127.0.0.1", "6.6.6.6, unknown", "127.0.0.1"),  # whoever stands behind what nobody can read wrote it
        ("127.0.0.1", "6.6.6.6, 203.0.113.9:4711", "203.0.113.9"),
        ("127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("127.0.0.1", "203.0.113.9:4711, 10.1.1.1:80", "203.0.113.9"),
        ("127.0.0.1", "10.1.1.1", "10.1.1.1"),
        ("::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9"),
    ],
)
def test_the_client_is_the_nearest_that_is_no_proxy_of_ours(peer: str, forwarded: str, network: str) -> None:
    assert network_of(PROXIED, request(peer, X_Forwarded_For=forwarded)) == network


def test_without_proxies_of_ours_nobody_is_forwarded() -> None:
    assert network_of(ControlSettings(), request("127.0.0.1", X_Forwarded_For="203.0.113.9")) == "127.0.0.1"


def test_tries_are_counted_by_what_an_owner_of_ipv6_may_pick_from() -> None:
    assert Place("2001:db8:1:2:3::1", "").neighbourhood == Place("2001:db8:1:2:ffff::9", "").neighbourhood
    assert Place("192.0.2.1", "").neighbourhood != Place("192.0.2.2", "").neighbourhood


def test_tls_is_known_by_who_speaks_it() -> None:
    assert not is_secure(ControlSettings(), request())
    assert is_secure(ControlSettings(), request(X_Forwarded_Proto="https"))
    assert is_secure(ControlSettings(url="https://control.example"), request())


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({}, True),
        ({"Origin": "http://control.example:8001"}, True),
        ({"Origin": "http://control.example"}, False),
        ({"Origin": "http://control.example:8001.evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": ""}, False),
        ({"Sec_Fetch_Site": "same-origin", "Origin": "http://control.example:8001"}, True),
        ({"Sec_Fetch_Site": "cross-site"}, False),
        ({"Sec_Fetch_Site": "same-site", "Origin": "http://control.example:8001"}, False),
    ],
)
def test_a_page_of_ours_is_told_by_what_browsers_say(headers: dict[str, str], *, ours: bool) -> None:
    assert is_our_page(ControlSettings(), request(**headers)) is ours


def test_behind_a_known_address_that_one_counts() -> None:
    settings = ControlSettings(url="https://firewall.acme.example")
    assert is_our_page(settings, request(Origin="https://firewall.acme.example"))
    assert not is_our_page(settings, request(Origin="https://evil.example"))
    assert not is_our_page(settings, request(Origin="null"))


@pytest.mark.parametrize("wanted", ["", "//x", "/\\x", "/consolex", "/x", "http://x", "/console\n", "/console/\\x"])
def test_the_way_back_is_to_a_page_of_ours(wanted: str) -> None:
    assert way_back(wanted) == "/console"


def test_the_way_back_keeps_what_was_wanted() -> None:
    assert way_back("/console/decisions?tenant=acme") == "/console/decisions?tenant=acme"
    assert way_back("/account") == "/account"
