"""What a base URL says."""

from __future__ import annotations

import pytest

from proxy.pool.endpoint import Endpoint


@pytest.mark.parametrize(
    ("url", "tls", "host", "port", "authority", "path"),
    [
        ("https://api.example.com/v1", True, "api.example.com", 443, "api.example.com", "/v1"),
        ("http://api.example.com", False, "api.example.com", 80, "api.example.com", ""),
        ("https://api.example.com:443/", True, "api.example.com", 443, "api.example.com", ""),
        ("http://Example.com:8080/a/b/", False, "example.com", 8080, "example.com:8080", "/a/b"),
        ("https://example.com:80", True, "example.com", 80, "example.com:80", ""),
        ("http://[2001:db8::1]:8080/v1", False, "2001:db8::1", 8080, "[2001:db8::1]:8080", "/v1"),
        ("http://[fe80::1%25eth0]", False, "fe80::1%eth0", 80, "[fe80::1]", ""),
        ("https://bücher.example", True, "xn--bcher-kva.example", 443, "xn--bcher-kva.example", ""),
    ],
)
def test_a_base_url_names_host_port_authority_and_path(
    url: str, tls: bool, host: str, port: int, authority: str, path: str
) -> None:
    assert Endpoint.parse(url) == Endpoint(tls, host, port, authority, path)


@pytest.mark.parametrize("url", ["ftp://example.com", "http://", "http://h:99999", "http://[::1", "example.com"])
def test_what_is_no_http_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        Endpoint.parse(url)
