"""Decisions as lines of JSON in files on this machine, for whatever collects log files."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from storage.apart import apart
from storage.line_files import Line, LineFiles, Rotation
from storage.published import json_line, published_row
from storage.sink import SinkFactory, Surroundings
from storage.sinks._rotation import RotationSettings
from storage.types import DecisionRecord

_ID: Final = re.compile(rb'"id":"([0-9a-f-]{36})"')


class JsonlSettings(RotationSettings):
    """`folder` is by default `<data>/sinks/<name>`."""


class JsonlSink:
    """Each decision once, on the disk when `write` returns; a batch that comes again adds nothing."""

    def __init__(self, name: str, folder: Path, rotation: Rotation, clock: Callable[[], float] = time.time) -> None:
        self._name, self._clock = name, clock
        self._files = LineFiles(folder, "decisions", rotation, _ID)

    @property
    def name(self) -> str:
        return self._name

    async def write(self, records: Sequence[DecisionRecord]) -> None:
        lines = [Line(record.id, json_line(published_row(record))) for record in records]
        await apart(self._files.append, lines, self._clock())

    async def close(self) -> None:
        await apart(self._files.close)


def _build(settings: JsonlSettings, surroundings: Surroundings) -> JsonlSink:
    folder = settings.folder or surroundings.folder / settings.label
    return JsonlSink(settings.label, folder, settings.rotation)


SINK: Final[SinkFactory[JsonlSettings]] = SinkFactory("jsonl", JsonlSettings, _build)
