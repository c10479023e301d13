"""What commands need before they begin."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from detectors.errors import StorageError
from proxy.cli import audit, keys, signatures, tenants
from proxy.cli.common import progress
from tests.proxy.additions.test_operator_packs import write


@pytest.mark.parametrize(
    ("app", "words"),
    [(tenants.app, ["list"]), (keys.app, ["list", "acme"]), (audit.app, ["verify"])],
    ids=["tenant list", "key list", "audit verify"],
)
def test_what_reads_makes_no_installation(
    app: Typer, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    nowhere = tmp_path / "nowhere"
    done = CliRunner().invoke(app, [*words, "--data", str(nowhere)])
    assert isinstance(done.exception, StorageError)
    assert (
        str(done.exception)
        == f"{nowhere}: there is no installation; --data says where it is, `promptshield serve` makes one"
    )
    assert not nowhere.exists()


def test_signatures_of_tenants_are_checked_with_the_installations(tmp_path: Path) -> None:
    def check() -> tuple[int, list[str]]:
        done = CliRunner().invoke(signatures.app, ["check", str(tmp_path)])
        return done.exit_code, [line.removeprefix(str(tmp_path)) for line in done.output.splitlines()]

    write(tmp_path, 1)
    for tenant in ("acme", "globex"):
        write(tmp_path / tenant, 2)
    code, lines = check()
    assert (code, [line.split(" (")[0] for line in lines]) == (0, [": ok", "/acme: ok", "/globex: ok"])
    write(tmp_path / "acme", 1)
    code, lines = check()
    assert code == 1
    assert "id 'OP-INJ-001' is taken by another pack" in lines[1]


def test_progress_that_nobody_can_be_told_of_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    went_on = False
    with suppress(OSError), Path("/dev/full").open("w") as full:  # closing it fails
        monkeypatch.setattr("sys.stderr", full)
        progress("stopping")
        went_on = True
    assert went_on
