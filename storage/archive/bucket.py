"""One bucket of an S3-compatible service: the one importer of aiobotocore."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from aiohttp import ClientError as HttpClientError
from botocore.exceptions import BotoCoreError, ClientError

from detectors.errors import StorageError, UnavailableError
from storage.sinks.s3 import S3Settings


class Session(AioSession):  # type: ignore[misc]  # it ships no types
    """Reads the description of the service once, for every client that is opened with it."""


_LARGEST: Final = 256 << 20  # bytes of an object that is read; ours are far smaller


class Bucket:
    """Puts, gets and lists objects. Every method raises UnavailableError if the service is away or refuses."""

    def __init__(self, client: Any, settings: S3Settings) -> None:
        self._client, self._settings = client, settings

    async def put(self, key: str, body: bytes, content_type: str, now: float) -> str:
        """Store an object, checked by its SHA-256 on the other side; return its version, "" without versioning."""
        with _translated(self._settings.bucket):
            answer = await self._client.put_object(
                Bucket=self._settings.bucket,
                Key=key,
                Body=body,
                ContentType=content_type,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=base64.b64encode(hashlib.sha256(body).digest()).decode(),
                **self._protection(now),
            )
        return str(answer.get("VersionId") or "")

    async def get(self, key: str, version: str = "") -> bytes:
        """Return an object, or that version of it. Raises StorageError if it is not there or too large to be ours."""
        chosen = {"VersionId": version} if version else {}
        with _translated(self._settings.bucket):
            answer = await self._client.get_object(Bucket=self._settings.bucket, Key=key, **chosen)
            async with answer["Body"] as body:
                if answer["ContentLength"] > _LARGEST:
                    raise StorageError(f"{key} is larger than anything this archive holds")
                content: bytes = await body.read()
        return content

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        """Yield the keys below a prefix in their order."""
        with _translated(self._settings.bucket):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._settings.bucket, Prefix=prefix)
            async for page in pages:
                for entry in page.get("Contents", ()):
                    yield entry["Key"]

    def _protection(self, now: float) -> dict[str, Any]:
        chosen: dict[str, Any] = {}
        lock, settings = self._settings.object_lock, self._settings
        if lock is not None:
            chosen["ObjectLockMode"] = lock.mode
            chosen["ObjectLockRetainUntilDate"] = datetime.fromtimestamp(now, UTC) + timedelta(days=lock.days)
        if settings.encryption:
            chosen["ServerSideEncryption"] = settings.encryption
        if settings.kms_key:
            chosen["SSEKMSKeyId"] = settings.kms_key
        return chosen


@asynccontextmanager
async def opened_bucket(settings: S3Settings, session: Session | None = None) -> AsyncIterator[Bucket]:
    """Open a client for as long as it takes. A session that was used before has read the service's description."""
    config = AioConfig(
        connect_timeout=min(10.0, settings.timeout),
        read_timeout=settings.timeout,
        retries={"total_max_attempts": 1},  # whoever uploads comes back by itself
        s3={"addressing_style": "path" if settings.path_style else "auto"},
    )
    opening = (session or Session()).create_client(
        "s3",
        region_name=settings.region or None,
        endpoint_url=settings.endpoint or None,
        aws_access_key_id=settings.access_key or None,
        aws_secret_access_key=settings.secret_key or None,
        config=config,
    )
    async with AsyncExitStack() as stack:
        with _translated(settings.bucket):
            client = await stack.enter_async_context(opening)
        yield Bucket(client, settings)


@contextmanager
def _translated(bucket: str) -> Iterator[None]:
    """Name what went wrong by its code alone: the service's own words can quote what was sent."""
    try:
        yield
    except ClientError as exc:
        code = str(exc.response.get("Error", {}).get("Code", "refused"))
        missing = code in {"NoSuchKey", "NoSuchVersion", "404"}
        raise (StorageError if missing else UnavailableError)(f"bucket {bucket}: {code}") from exc
    except (BotoCoreError, HttpClientError, OSError, TimeoutError, ValueError) as exc:
        raise UnavailableError(f"bucket {bucket}: {type(exc).__name__}") from exc
