"""What stands beside each object of the archive: which decisions it holds, and the hash that proves it does."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from detectors.errors import StorageError
from storage.archive.table import SCHEMA, SCHEMA_VERSION
from storage.published import JsonObject

SUFFIX = ".manifest.json"


class Manifest(BaseModel):
    """`date` is the day (UTC) on which the decisions were opened; ids sort by time. `version` is the bucket's name for
    the object's version, "" without versioning.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: str
    object: str
    version: str
    tenant_id: int
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    rows: int
    size: int
    sha256: str
    first_id: str
    last_id: str
    columns: tuple[str, ...]

    def refuse_other(self, content: bytes) -> None:
        """Raise StorageError unless `content` is what the manifest was written for."""
        if len(content) != self.size or hashlib.sha256(content).hexdigest() != self.sha256:
            raise StorageError(f"{self.object} is not what its manifest says")


def object_key(prefix: str, tenant_id: int, date: str, first_id: str, last_id: str) -> str:
    """`<prefix>/tenant=<id>/date=YYYY-MM-DD/<first id>-<last id>.parquet`: a tenant can be given its own folder."""
    return f"{tenant_prefix(prefix, tenant_id)}date={date}/{first_id}-{last_id}.parquet"


def tenant_prefix(prefix: str, tenant_id: int | None) -> str:
    """The folder of one tenant, or that of all; ends in a slash unless it is the bucket itself."""
    top = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    return top if tenant_id is None else f"{top}tenant={tenant_id}/"


def manifest_of(key: str, version: str, rows: Sequence[JsonObject], content: bytes) -> Manifest:
    """The manifest of an object just stored; `rows` are of one tenant and day, in the order of their ids."""
    return Manifest(
        schema_version=SCHEMA_VERSION,
        object=key,
        version=version,
        tenant_id=rows[0]["tenant_id"],
        date=rows[0]["opened_at"][:10],
        rows=len(rows),
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        first_id=rows[0]["id"],
        last_id=rows[-1]["id"],
        columns=tuple(SCHEMA.names),
    )


def manifest_bytes(manifest: Manifest) -> bytes:
    return orjson.dumps(manifest.model_dump(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read_manifest(key: str, content: bytes) -> Manifest:
    """Raises StorageError for what is no manifest of this version, or one of another place than `key`."""
    try:
        document: Any = orjson.loads(content)
        manifest = Manifest.model_validate(document)
    except (orjson.JSONDecodeError, ValidationError) as exc:
        raise StorageError("not a manifest of this archive") from exc
    if manifest.schema_version != SCHEMA_VERSION:
        raise StorageError(f"written by another version: {manifest.schema_version[:80]}")
    place = f"tenant={manifest.tenant_id}/date={manifest.date}/"
    if key != manifest.object + SUFFIX or place not in manifest.object:
        raise StorageError("the manifest belongs elsewhere")
    return manifest
