"""The settings of sinks that write files: where, and how much of them stays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import ByteSize, Field

from storage.line_files import Rotation
from storage.sink import SinkSettings

Size = Annotated[ByteSize, Field(gt=0)]


class RotationSettings(SinkSettings):
    """A new file is begun over `rotate` and every day (UTC); the newest `keep_files` stay, up to `keep_size`."""

    folder: Path | None = None
    rotate: Size = ByteSize(64 << 20)
    keep_files: int = Field(default=100, gt=0)
    keep_size: Size = ByteSize(4 << 30)

    @property
    def rotation(self) -> Rotation:
        return Rotation(self.rotate, self.keep_files, self.keep_size)
