"""Decisions as OCSF events: lines of JSON in files on this machine, or posted to a collector."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from pydantic import Field

from storage.apart import apart
from storage.egress import Egress
from storage.line_files import Line, LineFiles, Rotation
from storage.ocsf import ocsf_event
from storage.published import json_line, published_row
from storage.sink import SinkFactory, Surroundings
from storage.sinks._http import HttpSettings, Pause
from storage.sinks._rotation import RotationSettings
from storage.types import DecisionRecord, Sink

# The first `uid` of an event is that of its metadata: the decision's id.
_ID: Final = re.compile(rb'"uid":"([0-9a-f-]{36})"')


class CollectorSettings(HttpSettings):
    """`authorization` is sent as the header of that name, such as `Bearer ${TOKEN}`."""

    authorization: str = Field(default="", repr=False)


class OcsfSettings(RotationSettings):
    """Into files as with `jsonl`, or, with a `collector`, to it instead."""

    collector: CollectorSettings | None = None


class OcsfFileSink:
    """Each event once, on the disk when `write` returns; a batch that comes again adds nothing."""

    def __init__(self, name: str, folder: Path, rotation: Rotation, clock: Callable[[], float] = time.time) -> None:
        self._name, self._clock = name, clock
        self._files = LineFiles(folder, "ocsf", rotation, _ID)

    @property
    def name(self) -> str:
        return self._name

    async def write(self, records: Sequence[DecisionRecord]) -> None:
        lines = [Line(record.id, _event_line(record)) for record in records]
        await apart(self._files.append, lines, self._clock())

    async def close(self) -> None:
        await apart(self._files.close)


class OcsfCollectorSink:
    """One call for each batch, one event a line; a batch that comes again is known by its events' `metadata.uid`."""

    def __init__(self, name: str, settings: CollectorSettings) -> None:
        self._name = name
        self._egress = Egress(settings.destination, connections=1)
        self._pause = Pause(name)
        self._headers = {"Content-Type": "application/x-ndjson", "User-Agent": "PromptShield"}
        if settings.authorization:
            self._headers["Authorization"] = settings.authorization

    @property
    def name(self) -> str:
        return self._name

    async def write(self, records: Sequence[DecisionRecord]) -> None:
        if not records:
            return
        body = b"".join(_event_line(record) for record in records)
        self._pause.refuse_until_over()
        self._pause.judge(await self._egress.post(body, self._headers))

    async def close(self) -> None:
        await self._egress.close()


def _event_line(record: DecisionRecord) -> bytes:
    return json_line(ocsf_event(published_row(record)))


def _build(settings: OcsfSettings, surroundings: Surroundings) -> Sink:
    if settings.collector is not None:
        return OcsfCollectorSink(settings.label, settings.collector)
    return OcsfFileSink(settings.label, settings.folder or surroundings.folder / settings.label, settings.rotation)


SINK: Final[SinkFactory[OcsfSettings]] = SinkFactory("ocsf", OcsfSettings, _build)
