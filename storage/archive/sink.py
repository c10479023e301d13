"""Into the archive: spooled on this machine at once, made into objects when there is enough, removed when stored."""

from __future__ import annotations

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import orjson
import structlog

from detectors.errors import StorageError, UnavailableError
from storage.apart import apart
from storage.archive.bucket import Bucket, Session, opened_bucket
from storage.archive.manifest import SUFFIX, manifest_bytes, manifest_of, object_key, tenant_prefix
from storage.archive.table import parquet_of, table_of
from storage.chains.statements import Statement
from storage.line_files import Line, LineFiles, Rotation
from storage.published import JsonObject, json_line, published_rows
from storage.sinks.s3 import S3Settings
from storage.types import DecisionRecord

_LOOK: Final = 5.0  # seconds between two looks at what is due
_ID: Final = re.compile(rb'"id":"([0-9a-f-]{36})"')
_LOG: Final = structlog.get_logger("promptshield.archive")


class ArchiveSink:
    """`write` returns once the records are on this machine's disk: a bucket that is away delays nobody, until what
    waits for it exceeds `spool_limit`. An object is stored under the same key however often it takes, and a spooled
    decision is spooled once; so a decision is in two objects only if a crash came between the two.
    """

    def __init__(
        self,
        settings: S3Settings,
        folder: Path,
        clock: Callable[[], float] = time.time,
        session: Session | None = None,
    ) -> None:
        self._settings, self._clock, self._session = settings, clock, session or Session()
        self._spool = LineFiles(folder, "spool", Rotation(settings.file_size), _ID)
        self._uploading: asyncio.Task[None] | None = None
        self._at_the_spool, self._at_the_bucket = asyncio.Lock(), asyncio.Lock()

    @property
    def name(self) -> str:
        return self._settings.label

    async def write(self, records: Sequence[DecisionRecord]) -> None:
        """Raises UnavailableError if the disk refuses, or if more than `spool_limit` waits for the bucket."""
        rows = published_rows(records)
        async with self._at_the_spool:
            await apart(self._take_in, rows)
        if self._uploading is None or self._uploading.done():
            self._uploading = asyncio.ensure_future(self._upload_forever())

    async def close(self) -> None:
        """Stop; what is not uploaded stays in the spool, and the first `write` of the next start takes it along."""
        if self._uploading is not None:
            self._uploading.cancel()
            await asyncio.wait([self._uploading])
            self._uploading = None
        async with self._at_the_spool:
            await apart(self._spool.close)

    async def upload_due(self) -> int:
        """Store what is due: full files, and the current one when it is `file_age` old; return how many objects.

        Raises UnavailableError if the bucket is away; what is not stored stays due.
        """
        async with self._at_the_bucket:
            async with self._at_the_spool:
                due = await apart(self._due)
            if not due:
                return 0
            async with opened_bucket(self._settings, self._session) as bucket:
                return sum([await self._upload(bucket, file) for file in due])

    async def publish(self, checkpoint: bytes) -> None:
        """Store a signed statement about the log where nobody with the database can reach it.

        Raises UnavailableError if it should be offered again.
        """
        statement = Statement.from_line(checkpoint)
        top = tenant_prefix(self._settings.prefix, None)
        key = f"{top}statements/{statement.instance}/{statement.number:012}.json"
        async with opened_bucket(self._settings, self._session) as bucket:
            await bucket.put(key, checkpoint, "application/json", self._clock())

    async def _upload_forever(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            try:
                await self.upload_due()
            except StorageError as exc:
                _LOG.warning("archive not uploaded", sink=self.name, problem=str(exc))

    def _take_in(self, rows: Sequence[JsonObject]) -> None:
        table_of(rows)  # what would fail as a table must not be accepted
        lines = [Line(row["id"], json_line(row)) for row in rows]
        self._spool.open()
        if self._spool.size() > self._settings.spool_limit:
            raise UnavailableError(f"sink {self.name}: over {self._settings.spool_limit} bytes wait for the bucket")
        self._spool.append(lines, self._clock())

    def _due(self) -> list[Path]:
        self._spool.open()
        if self._spool.age(self._clock()) >= self._settings.file_age:
            self._spool.seal()
        return self._spool.finished()

    async def _upload(self, bucket: Bucket, file: Path) -> int:
        """Store the rows of a spooled file, an object for each tenant and day, then remove the file."""
        groups, damaged = await apart(_groups_of, file)
        for rows in groups:
            try:
                await self._store(bucket, rows)
            except UnavailableError:
                raise
            except StorageError:
                damaged += len(rows)
        if damaged:
            # They were whole when they came in: this is the disk's doing. They stay for whoever can read them.
            _LOG.error("spooled decisions cannot be read", sink=self.name, file=file.name, lines=damaged)
            await apart(file.rename, file.with_suffix(".damaged"))
        else:
            await apart(file.unlink)
        return len(groups)

    async def _store(self, bucket: Bucket, rows: Sequence[JsonObject]) -> None:
        content = await apart(parquet_of, rows)
        first, last = rows[0], rows[-1]
        day = first["opened_at"][:10]
        key = object_key(self._settings.prefix, first["tenant_id"], day, first["id"], last["id"])
        now = self._clock()
        version = await bucket.put(key, content, "application/vnd.apache.parquet", now)
        manifest = manifest_of(key, version, rows, content)
        await bucket.put(key + SUFFIX, manifest_bytes(manifest), "application/json", now)


def _groups_of(file: Path) -> tuple[list[list[JsonObject]], int]:
    """The rows of a spooled file by tenant and day, in the order of their ids; and how many lines are none.

    Raises UnavailableError.
    """
    groups: defaultdict[tuple[int, str], list[JsonObject]] = defaultdict(list)
    damaged = 0
    try:
        lines = file.read_bytes().splitlines()
    except OSError as exc:
        raise UnavailableError(f"{file}: {exc.strerror}") from exc
    for line in lines:
        try:
            row: JsonObject = orjson.loads(line)
            groups[row["tenant_id"], row["opened_at"][:10]].append(row)
        except (orjson.JSONDecodeError, KeyError, TypeError):
            damaged += 1
    return [sorted(rows, key=lambda row: str(row["id"])) for _, rows in sorted(groups.items())], damaged
