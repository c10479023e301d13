"""Out of the archive: decisions of a time range as lines of JSON, after every object was held against its manifest.

Files, not the table `decisions`: what retention or an erasure took out of the database must not come back by a side
door, and rows that return would have no place in the hash chain. Files can be read, searched and loaded anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from detectors.errors import StorageError, UnavailableError
from storage.apart import apart
from storage.archive.bucket import Bucket, Session, opened_bucket
from storage.archive.manifest import SUFFIX, Manifest, read_manifest, tenant_prefix
from storage.archive.table import rows_of
from storage.archive.window import Restored, Window
from storage.published import JsonObject, json_line
from storage.sinks.s3 import S3Settings


async def restore(settings: S3Settings, window: Window, folder: Path, session: Session | None = None) -> Restored:
    """Write `<folder>/tenant=<id>/<date>.jsonl` (0600), each decision once, and account for every manifest.

    Raises StorageError if the folder holds anything, UnavailableError if the bucket is away.
    """
    _make_empty(folder)
    restored, place, seen = Restored(), "", set[str]()
    async with opened_bucket(settings, session) as bucket:
        async for key in bucket.keys(tenant_prefix(settings.prefix, window.tenant_id)):
            if not key.endswith(SUFFIX) or not window.may_hold(_date_in(key)):
                continue
            try:
                manifest = read_manifest(key, await bucket.get(key))
                rows = [row for row in await _checked_rows(bucket, manifest) if window.holds(row)]
            except UnavailableError:
                raise
            except StorageError as exc:
                restored.damaged.append(f"{key}: {exc}")
                continue
            # Keys come sorted, and a decision that was stored twice is in one place twice.
            if place != (place := key.rpartition("/")[0]):
                seen.clear()
            new = [row for row in rows if row["id"] not in seen]
            seen.update(row["id"] for row in new)
            await apart(_append, folder / f"tenant={manifest.tenant_id}" / f"{manifest.date}.jsonl", new)
            restored.objects, restored.rows = restored.objects + 1, restored.rows + len(new)
    return restored


async def _checked_rows(bucket: Bucket, manifest: Manifest) -> list[JsonObject]:
    """Raises StorageError if the object is not there, is another one, or holds what it should not."""
    content = await bucket.get(manifest.object, manifest.version)
    manifest.refuse_other(content)
    rows = await apart(lambda: list(rows_of(content)))
    if len(rows) != manifest.rows or any(row["tenant_id"] != manifest.tenant_id for row in rows):
        raise StorageError(f"{manifest.object} does not hold the rows that its manifest counts")
    return rows


def _date_in(key: str) -> str:
    return key.rpartition("/date=")[2][:10]


def _make_empty(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(folder.iterdir()):
            raise StorageError(f"{folder} is not empty: name a new folder")
    except OSError as exc:
        raise StorageError(f"{folder}: {exc.strerror}") from exc


def _append(file: Path, rows: Iterable[JsonObject]) -> None:
    try:
        file.parent.mkdir(exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "ab") as opened:
            opened.writelines(json_line(row) for row in rows)
    except OSError as exc:
        raise StorageError(f"{file}: {exc.strerror}") from exc
