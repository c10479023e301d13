"""`promptshield archive restore`, as somebody types it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detectors.errors import SettingsError
from proxy.cli.archive import app
from storage.archive.sink import ArchiveSink
from storage.sinks.s3 import S3Settings
from tests.storage.archive.conftest import NOW, SESSION
from tests.storage.sinks.records import ordinary

DAY = ("--from", "2026-09-21", "--to", "2026-09-22T00:00:00")

pytestmark = pytest.mark.slow  # an S3 service of its own


def settings_file(folder: Path, settings: S3Settings, name: str = "s3") -> Path:
    file = folder / "promptshield.yaml"
    file.write_text(
        f"sinks:\n  - {{type: jsonl}}\n  - {{type: s3, name: {name}, bucket: {settings.bucket}, prefix: audit,"
        f" region: us-east-1, endpoint: '{settings.endpoint}', path_style: true, access_key: a, secret_key: b}}\n"
    )
    return file


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["restore", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


@pytest.fixture
def archived(settings: S3Settings) -> S3Settings:
    async def fill() -> None:
        sink = ArchiveSink(
            settings.model_copy(update={"file_age": 0.0}), settings.folder or Path(), lambda: NOW, SESSION
        )
        await sink.write(ordinary(3))
        await sink.upload_due()
        await sink.close()

    asyncio.run(fill())
    return settings


@pytest.mark.slow
def test_a_day_comes_back_into_a_folder(archived: S3Settings, tmp_path: Path) -> None:
    file, out = settings_file(tmp_path, archived), tmp_path / "out"
    assert run(*DAY, "--out", str(out), "--config", str(file)) == (0, "3 decisions out of 2 objects; 0 damaged\n")
    assert len(list(out.rglob("*.jsonl"))) == 2
    assert run(*DAY, "--out", str(tmp_path / "one"), "--tenant", "2", "--config", str(file))[1].startswith(
        "1 decisions"
    )


def test_an_archive_that_is_not_there_is_named(settings: S3Settings, tmp_path: Path) -> None:
    file = settings_file(tmp_path, settings, name="cold")
    with pytest.raises(SettingsError, match="name one of the s3 sinks with --sink; there are: cold"):
        run(*DAY, "--out", str(tmp_path / "out"), "--sink", "warm", "--config", str(file))
