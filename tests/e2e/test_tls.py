"""The data plane with a certificate of its own."""

from __future__ import annotations

import http.client
import ssl
from contextlib import closing
from pathlib import Path

import pytest

from tests.harness import Product, Recorder
from tests.storage.sinks.certificates import server_context

pytestmark = pytest.mark.e2e


def test_the_data_plane_speaks_tls_and_nothing_else(folder: Path, upstream: Recorder) -> None:
    (folder / "tls").mkdir()
    _, authority = server_context(folder / "tls")
    key = folder / "tls" / "key.pem"
    extra = f"proxy: {{port: 0, tls: {{certificate: {authority}, key: {key}}}}}\n"
    with Product(folder / "tls-data", upstream=upstream.url, workers=1, extra=extra) as product:
        assert product.url.startswith("https://")
        port = int(product.url.rpartition(":")[2].removesuffix("/v1"))
        context = ssl.create_default_context(cafile=str(authority))
        with closing(http.client.HTTPSConnection("localhost", port, timeout=5, context=context)) as connection:
            connection.request("GET", "/health/readiness")
            assert connection.getresponse().status == 200
        with (
            closing(http.client.HTTPConnection("localhost", port, timeout=5)) as plain,
            pytest.raises((http.client.HTTPException, OSError)),
        ):
            plain_status(plain)


def plain_status(plain: http.client.HTTPConnection) -> int:
    plain.request("GET", "/health/readiness")
    return plain.getresponse().status
