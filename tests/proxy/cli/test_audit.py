"""`promptshield audit`: wrong questions are refused in time, and the exit code is the verdict."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import orjson
import pytest
from typer.testing import CliRunner, Result

from proxy.cli.audit import app
from storage.embedded import EngineUrls


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--from", "yesterday"], "'yesterday': expected a time such as 2h"),
        (["--public-key", "/nowhere"], "/nowhere holds no public key in hex"),
    ],
)
def test_a_wrong_value_is_exit_code_2(arguments: list[str], line: str) -> None:
    done = invoke("verify", *arguments)
    assert done.exit_code == 2
    assert line in " ".join(done.stderr.replace("│", " ").split())


def test_a_key_of_the_wrong_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("abcd")
    assert "2 bytes instead of 32" in " ".join(invoke("verify", "--public-key", str(tmp_path / "key")).stderr.split())


def test_the_public_key_changes_with_a_rotation(tmp_path: Path) -> None:
    before = invoke("key", "--data", str(tmp_path)).stdout
    assert invoke("rotate-key", "--data", str(tmp_path)).exit_code == 0
    after = invoke("key", "--data", str(tmp_path)).stdout
    assert len(before.strip()) == len(after.strip()) == 64
    assert before != after


@pytest.fixture
def reached(engines: EngineUrls, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database of its own that the command line finds in the environment; the owner's URL of it."""
    name = f"audit_{secrets.token_hex(6)}"
    asyncio.run(_run(engines.database_owner_url, f"CREATE DATABASE {name}"))
    url, owner = (
        urlsplit(u)._replace(path=f"/{name}").geturl() for u in (engines.database_url, engines.database_owner_url)
    )
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("DATABASE_OWNER_URL", owner)
    monkeypatch.setenv("REDIS_URL", engines.redis_url)
    try:
        yield owner
    finally:
        asyncio.run(_run(engines.database_owner_url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.mark.slow
def test_an_intact_log_is_exit_code_0_and_a_damaged_one_is_3(reached: str, tmp_path: Path) -> None:
    intact = invoke("verify", "--data", str(tmp_path))
    assert (intact.exit_code, intact.stdout.split(":")[0]) == (0, "intact")
    asyncio.run(_run(reached, "INSERT INTO private.statements VALUES ('i1', 1, '', '{}')"))
    damaged = invoke("verify", "--data", str(tmp_path))
    assert damaged.exit_code == 3
    assert damaged.stdout.startswith("statement   i1  tenant -  link -  -  in the database: no statement")
    assert orjson.loads(invoke("verify", "--data", str(tmp_path), "--json").stdout)["damage_count"] == 1


async def _run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
