"""Decisions as an archive in a bucket: Parquet objects with manifests, by tenant and day.

What it takes to write them is loaded when the sink is built, not with its settings: Parquet and S3 libraries cost
some 90 MiB and half a second, and every process of the installation reads the settings.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ByteSize, ConfigDict, Field

from storage.sink import SinkFactory, SinkSettings, Surroundings
from storage.sinks._rotation import Size
from storage.types import Sink


class ObjectLock(BaseModel):
    """How long no version of an object can be deleted: COMPLIANCE by nobody, GOVERNANCE by who may bypass it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["GOVERNANCE", "COMPLIANCE"]
    days: int = Field(gt=0, le=36_500)


class S3Settings(SinkSettings):
    """Credentials come from the two keys, or from where AWS clients look (environment, profile, instance role).

    Objects are made of at most `file_size` bytes of rows or `file_age` seconds; what waits for that lies in `folder`
    (by default `<data>/sinks/<name>`), at most `spool_limit` bytes of it.
    """

    bucket: str = Field(min_length=3, max_length=255)
    prefix: str = Field(default="", pattern=r"^[A-Za-z0-9._/=-]*$")
    region: str = ""
    endpoint: str = Field(default="", pattern=r"^(https?://[^@?#]+)?$")
    path_style: bool = False
    access_key: str = Field(default="", repr=False)
    secret_key: str = Field(default="", repr=False)
    encryption: Literal["", "AES256", "aws:kms"] = ""
    kms_key: str = ""
    object_lock: ObjectLock | None = None
    folder: Path | None = None
    file_size: Size = ByteSize(16 << 20)
    file_age: float = Field(default=600, gt=0)
    spool_limit: Size = ByteSize(1 << 30)
    timeout: float = Field(default=60, gt=0, le=600)


def _build(settings: S3Settings, surroundings: Surroundings) -> Sink:
    archive = importlib.import_module("storage.archive.sink")
    sink: Sink = archive.ArchiveSink(settings, settings.folder or surroundings.folder / settings.label)
    return sink


SINK: Final[SinkFactory[S3Settings]] = SinkFactory("s3", S3Settings, _build)
