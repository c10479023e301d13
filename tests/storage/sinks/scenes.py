"""For each sink a destination of its own that can be looked at, taken away and brought back. A new sink adds one."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import orjson
from aiohttp import ClientSession
from moto.server import ThreadedMotoServer

from storage.archive.bucket import opened_bucket
from storage.archive.sink import ArchiveSink
from storage.archive.table import rows_of
from storage.sink import SinkSettings, load_sink
from storage.types import Sink
from tests.storage.sinks.receivers import HttpReceiver, SyslogReceiver

SECRET = base64.b64encode(b"s3cr3t-" * 5).decode()


class Scene(Protocol):
    """`settings` hold SECRET wherever the sink has a secret; `arrived` are the decisions' ids, copies included, once
    there are `number` of them.
    """

    async def settings(self) -> SinkSettings: ...
    async def arrived(self, sink: Sink, number: int) -> list[str]: ...
    async def go_away(self) -> None: ...
    async def come_back(self) -> None: ...
    async def close(self) -> None: ...


def given(type_name: str, **keys: Any) -> SinkSettings:
    settings: SinkSettings = load_sink(type_name).settings(type=type_name, **keys)
    return settings


class Files:
    """A folder; without it there is nowhere to write."""

    def __init__(self, folder: Path, type_name: str, id_of: Callable[[dict[str, Any]], str]) -> None:
        self.folder, self.type_name, self.id_of = folder / "sink", type_name, id_of

    async def settings(self) -> SinkSettings:
        return given(self.type_name, folder=self.folder)

    async def arrived(self, sink: Sink, number: int) -> list[str]:
        files = sorted(self.folder.glob("*.jsonl"))
        return [self.id_of(orjson.loads(line)) for file in files for line in file.read_bytes().splitlines()]

    async def go_away(self) -> None:
        self.folder.write_bytes(b"a file where the folder should be")

    async def come_back(self) -> None:
        self.folder.unlink()

    async def close(self) -> None:
        """Whoever made the folder removes it."""


class Webhook:
    def __init__(self, _folder: Path) -> None:
        self.receiver = HttpReceiver()
        self.go_away, self.come_back, self.close = self.receiver.go_away, self.receiver.come_back, self.receiver.go_away

    async def settings(self) -> SinkSettings:
        await self.come_back()
        url, actions = f"http://127.0.0.1:{self.receiver.port}/hook?key={SECRET}", ["allow", "block"]
        return given("webhook", url=url, secrets=[f"whsec_{SECRET}"], on=actions, allow_networks=["127.0.0.0/8"])

    async def arrived(self, sink: Sink, number: int) -> list[str]:
        ids = [orjson.loads(call.body)["data"]["id"] for call in self.receiver.calls]
        assert ids == [call.headers["webhook-id"] for call in self.receiver.calls]
        return ids


class Syslog:
    def __init__(self, _folder: Path) -> None:
        self.receiver, self.expected = SyslogReceiver(), 0
        self.go_away, self.come_back, self.close = self.receiver.go_away, self.receiver.come_back, self.receiver.go_away

    async def settings(self) -> SinkSettings:
        await self.come_back()
        return given("syslog", host="127.0.0.1", port=self.receiver.port, transport="tcp")

    async def arrived(self, sink: Sink, number: int) -> list[str]:
        await self.receiver.arrived(number)
        found = [
            re.search(rb'\[promptshield@32473 id="([0-9a-f-]{36})"', message) for message in self.receiver.messages
        ]
        return [match.group(1).decode() for match in found if match]


class Archive(Files):
    """What is away here is the spool: a bucket that is away is none of `write`'s business."""

    def __init__(self, folder: Path, server: ThreadedMotoServer) -> None:
        super().__init__(folder, "s3", lambda row: str(row["id"]))
        self.url = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
        self.bucket = f"b-{secrets.token_hex(8)}"

    async def settings(self) -> SinkSettings:
        settings = given(
            "s3", bucket=self.bucket, region="us-east-1", endpoint=self.url, path_style=True,
            access_key="AKIA", secret_key=SECRET, folder=self.folder, file_age=0.000001,
        )  # fmt: skip
        async with ClientSession() as session:
            await session.put(f"{self.url}/{self.bucket}")
        return settings

    async def arrived(self, sink: Sink, number: int) -> list[str]:
        assert isinstance(sink, ArchiveSink)
        await sink.upload_due()
        async with opened_bucket(sink._settings, sink._session) as bucket:
            objects = [await bucket.get(key) async for key in bucket.keys("") if key.endswith(".parquet")]
        return [row["id"] for content in objects for row in rows_of(content)]


def scene_of(type_name: str, folder: Path, server: ThreadedMotoServer) -> Scene:
    scenes: dict[str, Callable[[], Scene]] = {
        "jsonl": lambda: Files(folder, "jsonl", lambda row: str(row["id"])),
        "ocsf": lambda: Files(folder, "ocsf", lambda event: str(event["metadata"]["uid"])),
        "s3": lambda: Archive(folder, server),
        "syslog": lambda: Syslog(folder),
        "webhook": lambda: Webhook(folder),
    }
    return scenes[type_name]()
