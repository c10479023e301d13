"""An S3 service on the loopback interface, and buckets in it that lock what they hold."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import ClientSession
from moto.server import ThreadedMotoServer

from storage.archive.bucket import Session
from storage.sinks.s3 import S3Settings

NOW = 1_790_000_000.0
SESSION = Session()  # what describes the service is read once for all tests


@pytest.fixture(scope="session")
def service() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    server.stop()


@pytest.fixture
async def settings(service: str, tmp_path: Path) -> S3Settings:
    """A bucket of its own, with versions and object lock."""
    bucket = f"b-{secrets.token_hex(8)}"
    async with ClientSession() as session:
        await session.put(f"{service}/{bucket}", headers={"x-amz-bucket-object-lock-enabled": "true"})
    given = {
        "type": "s3", "bucket": bucket, "prefix": "audit", "region": "us-east-1", "endpoint": service,
        "path_style": True, "access_key": "AKIA", "secret_key": "s3cr3t", "folder": tmp_path / "spool",
        "object_lock": {"mode": "COMPLIANCE", "days": 30}, "encryption": "AES256", "file_age": 600,
    }  # fmt: skip
    return S3Settings.model_validate(given)
