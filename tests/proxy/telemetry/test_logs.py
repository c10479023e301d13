"""The log: JSON lines of a level and more, bounded in number and in size, and made of words of our own."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog

import detectors
import policies
import proxy
import storage
from proxy.telemetry.logs import Burst, LogFile, LogSettings, LogStream, configure_logs

# What a line may say beside its event. Each is a name, a number or a code of ours, or why a file of an operator's
# cannot be used; none ever holds what a client or a provider wrote.
FIELDS = {
    "attacks", "bytes", "code", "decision", "engine", "error", "expires", "failures", "file", "files", "host",
    "incident",
    "instance", "judges", "library", "level_of_it", "line", "lines", "lived", "operation", "pack", "place", "policy",
    "port", "principal", "problem", "process", "reason", "records", "revision", "seconds", "segment", "segments",
    "sink", "status", "tenant", "writer",
}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "promptshield.log"
    structlog.reset_defaults()
    logging.basicConfig(level=logging.WARNING, handlers=[], force=True)


def lines(file: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in file.read_bytes().splitlines()]


def test_lines_below_the_level_are_not_written(file: Path) -> None:
    configure_logs(LogSettings(level="warning", file=file))
    log = structlog.get_logger("promptshield.test")
    log.info("nobody needs this")
    log.warning("somebody does", reason="full")

    (line,) = lines(file)
    assert {key: line[key] for key in ("event", "level", "reason")} == {
        "event": "somebody does", "level": "warning", "reason": "full"
    }  # fmt: skip


def test_a_flood_of_one_event_is_a_bounded_number_of_lines_and_the_rest_is_told(file: Path) -> None:
    now = [1.0]
    burst = Burst(3, lambda: now[0])

    def let_through(event: str) -> list[Any]:
        try:
            return [burst(None, "info", {"event": event})]
        except structlog.DropEvent:
            return []

    passed = [entry for _ in range(100) for entry in let_through("flood")] + let_through("other")
    now[0] = 2.0
    passed += let_through("flood")

    assert [entry["event"] for entry in passed] == ["flood"] * 3 + ["other", "flood"]
    assert passed[-1]["dropped_lines"] == 97


def test_what_a_library_says_is_not_repeated(file: Path) -> None:
    configure_logs(LogSettings(file=file))
    logging.getLogger("urllib3.pool").warning("connection to https://user:hunter2@host failed")

    (line,) = lines(file)
    assert (line["library"], line["level_of_it"]) == ("urllib3.pool", "warning")
    assert b"hunter2" not in file.read_bytes()


def test_a_long_file_is_moved_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log", rotate=10, keep=2)
    for number in range(5):
        log._looked = 0.0  # a second has passed
        log.msg(f"line number {number}")
        log.rotate()

    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.log.1", "a.log.2"]
    assert (tmp_path / "a.log.1").read_text() == "line number 4\n"


def test_a_file_that_cannot_be_moved_aside_grows_on(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log", rotate=10, keep=1)
    (tmp_path / "a.log.1" / "in the way").mkdir(parents=True)  # as in a folder that the account may not write
    log.msg("line number 1")
    log.rotate()
    log.msg("line number 2")

    assert (tmp_path / "a.log").read_text() == "line number 1\nline number 2\n"


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    LogFile(tmp_path / "no" / "such" / "folder.log", 10, 1).msg("lost")


def test_a_log_that_cannot_be_written_says_so_when_asked(tmp_path: Path) -> None:
    nowhere = tmp_path / "none" / "log"
    assert LogFile(nowhere, 1 << 20, 1).problem() == f"nothing is logged: {nowhere}: No such file or directory"
    assert LogFile(tmp_path / "log", 1 << 20, 1).problem() == ""


def test_standard_error_on_a_full_disk_stops_nothing() -> None:
    written = 0
    with suppress(OSError), Path("/dev/full").open("w") as full:  # closing it fails
        log = LogStream(full)
        while written < 2000:
            log.msg("lost, and what was lost before is not in its way")
            written += 1
    assert written == 2000


def test_every_line_is_of_a_fixed_event_and_declared_fields() -> None:
    calls = 0
    for package in (detectors, policies, proxy, storage):
        for source in Path(str(package.__file__)).parent.rglob("*.py"):
            for node in ast.walk(ast.parse(source.read_text())):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                owner = node.func.value
                if not isinstance(owner, ast.Name) or owner.id != "_LOG":
                    continue
                calls += 1
                where = f"{source.name}:{node.lineno}"
                names = {keyword.arg for keyword in node.keywords if keyword.arg is not None}
                assert isinstance(node.args[0], ast.Constant | ast.Name), where
                assert names <= FIELDS, (where, names - FIELDS)
    assert calls > 20
