"""What stands in deploy/ is what the programs that read it accept."""

from __future__ import annotations

import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Final

import pytest
import yaml

from proxy.settings import load_settings

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
TOOLS: Final = ROOT / ".venv-deploy" / "bin"
COMPOSE: Final = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
_YAML: Final = "{extends: relaxed, rules: {line-length: {max: 150}}}"
# python:3.11-slim-bookworm, unpacked: a figure from memory, for its layers were not at hand.
BASE_MB: Final = 130
BAR_MB: Final = 450


def accepted(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_hadolint_accepts_the_dockerfile() -> None:
    accepted(TOOLS / "hadolint", "deploy/Dockerfile")


def test_shellcheck_accepts_every_script() -> None:
    scripts = [*DEPLOY.rglob("*.sh"), ROOT / ".ci/run"]
    assert len(scripts) > 2
    accepted("shellcheck", *scripts)


def test_yamllint_accepts_every_plain_file() -> None:
    files = [file for file in DEPLOY.rglob("*.yaml") if "helm" not in file.parts]
    accepted("yamllint", "-d", _YAML, *files, ROOT / ".github/workflows")


def test_compose_accepts_its_file_and_mounts_what_is_there() -> None:
    accepted("docker-compose", "-f", "deploy/compose.yaml", "--profile", "pgbouncer", "config", "--quiet")
    mounts = [m.partition(":")[0] for s in COMPOSE["services"].values() for m in s.get("volumes", ()) if m[0] == "."]
    assert len(mounts) > 4
    assert [mount for mount in mounts if not (DEPLOY / mount).exists()] == []


def test_compose_runs_the_proxy_unprivileged_and_publishes_it_to_this_machine_only() -> None:
    service = COMPOSE["services"]["promptshield"]
    assert (service["read_only"], service["cap_drop"], service["user"]) == (True, ["ALL"], "10001:10001")
    published = [port for s in COMPOSE["services"].values() for port in s.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_pooler_of_compose_keeps_passwords_as_its_own_settings_need_them() -> None:
    """Its image writes the login down by AUTH_TYPE, as MD5 where there is none: no SCRAM login begins with that."""
    settings = ConfigParser()
    settings.read(DEPLOY / "pgbouncer" / "pgbouncer.ini")
    assert COMPOSE["services"]["pgbouncer"]["environment"]["AUTH_TYPE"] == settings["pgbouncer"]["auth_type"]


def test_the_settings_of_the_image_load(tmp_path: Path) -> None:
    settings = load_settings(DEPLOY / "promptshield.yaml", data=tmp_path, environment={"NUM_WORKERS": "3"})
    assert (settings.control.host, settings.workers) == ("0.0.0.0", 3)  # noqa: S104 - inside a container


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment that the Dockerfile's build stage leaves, made by its own steps."""
    folder = tmp_path_factory.mktemp("image") / "promptshield"
    uv = ROOT / ".venv/bin/uv"
    accepted(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    accepted(
        uv,
        "pip",
        "install",
        "--quiet",
        "--link-mode",
        "copy",
        "--python",
        python,
        "--require-hashes",
        "-r",
        "requirements/run.txt",
    )
    accepted("sh", DEPLOY / "slim.sh", folder, uv)
    return folder


def test_the_slim_environment_still_loads_all_that_serves(environment: Path) -> None:
    program = (
        "import proxy.runtime.supervisor, proxy.cli.serve, storage.sinks\n"
        "from proxy.app import load_detection\nload_detection()"
    )
    accepted(environment / "bin/python", "-c", program)


def test_the_image_is_small_enough(environment: Path) -> None:
    own = sum(f.stat().st_size for p in ("detectors", "policies", "storage", "proxy") for f in (ROOT / p).rglob("*.*"))
    size = sum(file.lstat().st_size for file in environment.rglob("*") if file.is_file() and not file.is_symlink())

    assert BASE_MB + (size + own) / 1e6 < BAR_MB
