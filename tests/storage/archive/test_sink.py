"""The spool and its way into the bucket, through what can go wrong on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from detectors.errors import UnavailableError
from storage.archive.bucket import opened_bucket
from storage.archive.manifest import SUFFIX, read_manifest
from storage.archive.sink import ArchiveSink
from storage.archive.table import rows_of
from storage.chains.signing import SigningKey
from storage.chains.statements import FIRST, Statement, StatementKind
from storage.sinks.s3 import S3Settings
from tests.storage.archive.conftest import NOW, SESSION
from tests.storage.sinks.records import ordinary, record

pytestmark = pytest.mark.slow  # an S3 service of its own


async def archived(settings: S3Settings) -> dict[str, list[str]]:
    """Per object, the ids in it; every object has its manifest."""
    async with opened_bucket(settings, SESSION) as bucket:
        manifests = [key async for key in bucket.keys("audit/") if key.endswith(SUFFIX)]
        found = {}
        for key in manifests:
            manifest = read_manifest(key, await bucket.get(key))
            content = await bucket.get(manifest.object, manifest.version)
            manifest.refuse_other(content)
            found[manifest.object] = [row["id"] for row in rows_of(content)]
        return found


def later(settings: S3Settings, seconds: float) -> ArchiveSink:
    assert settings.folder is not None
    return ArchiveSink(settings, settings.folder, clock=lambda: NOW + seconds, session=SESSION)


async def test_an_object_is_made_for_each_tenant_and_day(settings: S3Settings) -> None:
    now = NOW
    sink = ArchiveSink(settings, settings.folder or Path(), clock=lambda: now, session=SESSION)
    records = ordinary(5)
    await sink.write(list(reversed(records)))
    assert await sink.upload_due() == 0
    now += 601
    assert await sink.upload_due() == 2
    await sink.close()
    objects = await archived(settings)
    assert sorted(objects.values()) == sorted([[r.id for r in records if r.tenant_id == t] for t in (1, 2)])
    assert {key.split("/")[1] for key in objects} == {"tenant=1", "tenant=2"}


async def test_a_bucket_that_is_away_delays_nobody_until_too_much_waits(settings: S3Settings) -> None:
    away = settings.model_copy(update={"endpoint": "http://127.0.0.1:9", "file_age": 0.0, "spool_limit": 2000})
    sink = later(away, 0)
    await sink.write(waiting := ordinary(2))
    with pytest.raises(UnavailableError, match="EndpointConnectionError"):
        await sink.upload_due()
    await sink.write(more := ordinary(2))
    with pytest.raises(UnavailableError, match="wait for the bucket"):
        await sink.write(ordinary(1))
    await sink.close()
    back = later(settings, 0)
    await back.upload_due()
    await back.close()
    assert sorted(chain.from_iterable((await archived(settings)).values())) == [r.id for r in waiting + more]


async def test_what_was_spooled_before_a_restart_is_stored_after_it_and_once(settings: S3Settings) -> None:
    before = later(settings, 0)
    await before.write(records := ordinary(3))
    await before.close()
    after = later(settings, 1)
    await after.write(records)
    assert await after.upload_due() == 2
    await after.close()
    assert sorted(chain.from_iterable((await archived(settings)).values())) == [r.id for r in records]


@pytest.mark.slow
async def test_a_crash_between_storing_and_removing_stores_the_same_objects_again(
    settings: S3Settings, tmp_path: Path
) -> None:
    sink = later(settings, 0)
    await sink.write(ordinary(2))
    await sink.close()
    (spooled,) = (tmp_path / "spool").glob("*.jsonl")
    content = spooled.read_bytes()
    for _ in range(2):
        spooled.write_bytes(content)
        again = later(settings, 0)
        assert await again.upload_due() == 2
        await again.close()
    assert len(await archived(settings)) == 2


@pytest.mark.slow
async def test_a_spooled_file_that_the_disk_damaged_is_kept_aside_and_stops_nobody(
    settings: S3Settings, tmp_path: Path
) -> None:
    sink = later(settings, 0)
    await sink.write(ordinary(1))
    await sink.close()
    (spooled,) = (tmp_path / "spool").glob("*.jsonl")
    spooled.write_bytes(b"\0\0" + spooled.read_bytes())
    after = later(settings.model_copy(update={"file_age": 0.0}), 0)
    await after.write([good := record()])
    await after.upload_due()
    await after.upload_due()
    await after.close()
    assert len(list((tmp_path / "spool").glob("*.damaged"))) == 1
    assert list((await archived(settings)).values()) == [[good.id]]


async def test_no_version_of_an_object_can_be_deleted_before_its_time(settings: S3Settings) -> None:
    sink = ArchiveSink(settings.model_copy(update={"file_age": 0.0}), settings.folder or Path(), session=SESSION)
    await sink.write([record()])
    await sink.upload_due()
    await sink.close()
    async with opened_bucket(settings, SESSION) as bucket:
        (key,) = [key async for key in bucket.keys("audit/") if key.endswith(SUFFIX)]
        manifest = read_manifest(key, await bucket.get(key))
        assert manifest.version
        head = await bucket._client.head_object(Bucket=settings.bucket, Key=manifest.object, VersionId=manifest.version)
        with pytest.raises(ClientError, match="AccessDenied"):
            await bucket._client.delete_object(Bucket=settings.bucket, Key=manifest.object, VersionId=manifest.version)
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert head["ObjectLockRetainUntilDate"] - datetime.now(UTC) > timedelta(days=29)
    assert head["ServerSideEncryption"] == "AES256"


@pytest.mark.slow
async def test_a_bucket_that_is_not_there_blames_no_record(settings: S3Settings) -> None:
    sink = later(settings.model_copy(update={"bucket": "no-such-bucket", "file_age": 0.0}), 0)
    await sink.write([record()])
    with pytest.raises(UnavailableError, match="NoSuchBucket"):
        await sink.upload_due()
    await sink.close()


async def test_a_statement_is_stored_under_its_instance_and_number(settings: S3Settings) -> None:
    key = SigningKey(bytes(32))
    statement = Statement(StatementKind.CHECKPOINT, "i1", 7, FIRST, 0, key.id, {}).signed(key)
    sink = later(settings, 0)
    await sink.publish(statement.line())
    await sink.close()
    async with opened_bucket(settings, SESSION) as bucket:
        assert await bucket.get("audit/statements/i1/000000000007.json") == statement.line()
