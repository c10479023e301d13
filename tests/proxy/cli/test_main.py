"""What the command line loads, and what it only lists."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from proxy.cli.main import COMMANDS, GROUPS, build_app
from tests.harness import PROMPTSHIELD


def test_all_commands_are_listed() -> None:
    listed = CliRunner().invoke(build_app(["--help"]), ["--help"])
    assert listed.exit_code == 0
    assert all(f" {name} " in listed.output for name in (*COMMANDS, *GROUPS))


def test_a_list_of_commands_loads_none_of_them() -> None:
    script = (
        "import sys\n"
        "from proxy.cli.main import build_app\n"
        "build_app(['--version'])\n"
        "print(sorted({'hyperscan', 'aiohttp', 'numpy', 'asyncpg'} & set(sys.modules)))\n"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout == b"[]\n"


@pytest.mark.parametrize("name", [*COMMANDS, *GROUPS])
def test_what_is_listed_is_there(name: str) -> None:
    shown = CliRunner().invoke(build_app([name]), [name, "--help"])
    assert shown.exit_code == 0
    assert f" {name} " in shown.output


@pytest.mark.parametrize("words", [["polcy"], ["--", "polcy"], ["--nothing"]])
def test_what_is_no_command_is_refused(words: list[str]) -> None:
    assert CliRunner().invoke(build_app(words), words).exit_code == 2


def test_a_command_behind_the_end_of_options_is_the_command() -> None:
    assert "POST /engine" in CliRunner().invoke(build_app(["--", "engine"]), ["--", "engine", "--help"]).output


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_cannot_be_written_is_one_line(unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [PROMPTSHIELD, "config", "schema"], stdout=full, stderr=subprocess.PIPE, check=False, env=environment
        )
    told = b"promptshield: not all could be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, told)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-"])
def test_a_command_needs_no_standard_streams(closed: str) -> None:
    command = f"exec '{PROMPTSHIELD}' scan --text hello {closed}"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
