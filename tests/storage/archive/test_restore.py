"""Out of the archive: what was asked for, checked, once; and damage named."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from detectors.errors import StorageError
from storage.archive.bucket import Bucket, opened_bucket
from storage.archive.manifest import SUFFIX
from storage.archive.restore import restore
from storage.archive.sink import ArchiveSink
from storage.archive.window import Window
from storage.published import published_row
from storage.sinks.s3 import S3Settings
from storage.types import DecisionRecord
from storage.uuid7 import time_of
from tests.storage.archive.conftest import NOW, SESSION
from tests.storage.sinks.records import ordinary, record

EVERYTHING = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))

pytestmark = pytest.mark.slow  # an S3 service of its own


async def archive(settings: S3Settings, records: Sequence[DecisionRecord], name: str = "spool") -> None:
    at_once = settings.model_copy(update={"file_age": 0.0, "object_lock": None})
    sink = ArchiveSink(at_once, (settings.folder or Path()).with_name(name), clock=lambda: NOW, session=SESSION)
    await sink.write(records)
    await sink.upload_due()
    await sink.close()


async def put(bucket: Bucket, key: str, content: bytes) -> None:
    await bucket.put(key, content, "text/plain", NOW)


async def test_decisions_come_back_whole_by_tenant_and_day(settings: S3Settings, tmp_path: Path) -> None:
    records = ordinary(5)
    await archive(settings, records)
    restored = await restore(settings, EVERYTHING, tmp_path / "out", SESSION)
    assert (restored.rows, restored.objects, restored.damaged) == (5, 2, [])
    for tenant_id in (1, 2):
        file = tmp_path / "out" / f"tenant={tenant_id}" / "2026-09-21.jsonl"
        rows = [orjson.loads(line) for line in file.read_bytes().splitlines()]
        expected = [published_row(r) for r in records if r.tenant_id == tenant_id]
        assert rows == orjson.loads(orjson.dumps(expected))
        assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
async def test_only_the_window_and_the_tenant_come_back(settings: S3Settings, tmp_path: Path) -> None:
    records = [record(1), record(1), record(1), record(2)]
    await archive(settings, records)
    start, end = (datetime.fromtimestamp(time_of(r.id), UTC) for r in records[1:3])
    restored = await restore(settings, Window(start, end, 1), tmp_path / "out", SESSION)
    assert restored.rows == 1
    assert records[1].id.encode() in next((tmp_path / "out").rglob("*.jsonl")).read_bytes()
    nothing = await restore(
        settings, Window(end + timedelta(days=2), end + timedelta(days=3)), tmp_path / "none", SESSION
    )
    assert (nothing.rows, nothing.objects) == (0, 0)


@pytest.mark.slow
async def test_a_decision_that_was_stored_twice_comes_back_once(settings: S3Settings, tmp_path: Path) -> None:
    records = [record(1), record(1)]
    await archive(settings, records)
    await archive(settings, records[:1], name="another")
    restored = await restore(settings, EVERYTHING, tmp_path / "out", SESSION)
    assert (restored.rows, restored.objects) == (2, 2)


@pytest.mark.slow
async def test_an_overwritten_object_is_read_as_the_version_that_was_stored(
    settings: S3Settings, tmp_path: Path
) -> None:
    await archive(settings, [record(1)])
    async with opened_bucket(settings, SESSION) as bucket:
        (key,) = [key async for key in bucket.keys("audit/") if not key.endswith(SUFFIX)]
        await put(bucket, key, b"something else")
    assert (await restore(settings, EVERYTHING, tmp_path / "out", SESSION)).damaged == []


async def test_damage_is_named_and_the_rest_comes_back(settings: S3Settings, tmp_path: Path) -> None:
    await archive(settings, [record(1), record(2), record(3)])
    async with opened_bucket(settings, SESSION) as bucket:
        keys = [key async for key in bucket.keys("audit/") if key.endswith(SUFFIX)]
        manifest = orjson.loads(await bucket.get(keys[0]))
        await put(bucket, keys[0], orjson.dumps(manifest | {"sha256": "0" * 64}))
        manifest = orjson.loads(await bucket.get(keys[1]))
        await put(bucket, keys[1], orjson.dumps(manifest | {"object": keys[2].removesuffix(SUFFIX)}))
    restored = await restore(settings, EVERYTHING, tmp_path / "out", SESSION)
    assert (restored.rows, len(restored.damaged)) == (1, 2)
    assert "is not what its manifest says" in restored.damaged[0]
    assert "belongs elsewhere" in restored.damaged[1]


@pytest.mark.slow
async def test_an_object_that_is_gone_is_damage(settings: S3Settings, tmp_path: Path) -> None:
    await archive(settings, [record(1)])
    async with opened_bucket(settings, SESSION) as bucket:
        (key,) = [key async for key in bucket.keys("audit/") if not key.endswith(SUFFIX)]
        manifest = orjson.loads(await bucket.get(key + SUFFIX))
        await bucket._client.delete_object(Bucket=settings.bucket, Key=key, VersionId=manifest["version"])
    restored = await restore(settings, EVERYTHING, tmp_path / "out", SESSION)
    assert restored.rows == 0
    assert len(restored.damaged) == 1


async def test_a_folder_that_holds_something_is_left_alone(settings: S3Settings, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(StorageError, match="not empty"):
        await restore(settings, EVERYTHING, tmp_path, SESSION)
