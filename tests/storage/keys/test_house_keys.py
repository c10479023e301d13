"""Keys of the house: made once, for nobody else's eyes, and never replaced in silence."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from detectors.errors import StorageError
from storage.keys.house_keys import HouseKeys, open_house_keys

NAMES = ("content", "kek", "pepper", "postgres-login", "postgres-owner", "signing", "valkey")
STRONG = "0123456789abcdef" * 2
SUPPLIED = {"PROMPTSHIELD_PEPPER": STRONG, "PROMPTSHIELD_CONTENT_KEY": STRONG[::-1]}


def open_keys(folder: Path, environment: Mapping[str, str] | None = None) -> HouseKeys:
    return open_house_keys(folder, environment or {})


def values(keys: HouseKeys) -> tuple[object, ...]:
    return keys.pepper, keys.content, keys.postgres_owner, keys.postgres_login, keys.valkey


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys"


def test_the_first_start_makes_keys_that_only_their_owner_reads(folder: Path) -> None:
    open_keys(folder)
    assert sorted(file.name for file in folder.iterdir()) == list(NAMES)
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_every_key_is_another_and_long(folder: Path) -> None:
    open_keys(folder)
    secrets = [(folder / name).read_text() for name in NAMES]
    assert len(set(secrets)) == len(NAMES)
    assert {len(secret) for secret in secrets} == {64}


def test_the_second_start_reads_what_the_first_made(folder: Path) -> None:
    assert values(open_keys(folder)) == values(open_keys(folder))


def test_a_mask_that_hides_nothing_changes_nothing(folder: Path) -> None:
    before = os.umask(0)
    try:
        open_keys(folder)
    finally:
        os.umask(before)
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_the_environment_replaces_pepper_and_content_key(folder: Path) -> None:
    keys = open_keys(folder, SUPPLIED)
    assert keys.pepper == STRONG.encode()
    assert not (folder / "pepper").exists()
    assert not (folder / "content").exists()


def test_another_instance_shares_the_keys_by_file_or_by_environment(folder: Path) -> None:
    keys = open_keys(folder)
    environment = {
        "PROMPTSHIELD_PEPPER": (folder / "pepper").read_text(),
        "PROMPTSHIELD_CONTENT_KEY": (folder / "content").read_text(),
    }
    other = open_keys(folder.with_name("other"), environment)
    assert (other.pepper, other.content, other.fingerprint()) == (keys.pepper, keys.content, keys.fingerprint())


@pytest.mark.parametrize("secret", ["", "sk-1234", "x" * 31, "a" * 64, "abcabc" * 10])
@pytest.mark.parametrize("name", SUPPLIED)
def test_a_weak_secret_is_refused(folder: Path, name: str, secret: str) -> None:
    with pytest.raises(StorageError, match=f"{name} is too weak") as caught:
        open_keys(folder, SUPPLIED | {name: secret})
    assert not secret or secret not in str(caught.value)


@pytest.mark.parametrize("secret", [STRONG * 8, STRONG + "\udcff"], ids=["very long", "not UTF-8"])
def test_any_strong_secret_serves(folder: Path, secret: str) -> None:
    keys = open_keys(folder, dict.fromkeys(SUPPLIED, secret))
    assert keys.fingerprint() != open_keys(folder, SUPPLIED).fingerprint()
    assert len(keys.tenant_content_key(1)) == 32


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_key_that_others_can_read_is_refused(folder: Path, mode: int) -> None:
    open_keys(folder)
    (folder / "pepper").chmod(mode)
    with pytest.raises(StorageError, match=r"pepper can be read by others: chmod 600"):
        open_keys(folder)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_can_change_is_refused(folder: Path, mode: int) -> None:
    open_keys(folder)
    folder.chmod(mode)
    with pytest.raises(StorageError, match="can be changed by others: chmod 700"):
        open_keys(folder)


@pytest.mark.parametrize("content", [b"", b"cut off", b"a" * 64, b"\xff" * 64])
def test_a_damaged_key_is_never_replaced(folder: Path, content: bytes) -> None:
    open_keys(folder)
    file = folder / "pepper"
    file.write_bytes(content)
    with pytest.raises(StorageError, match="restore it from a backup"):
        open_keys(folder)
    assert file.read_bytes() == content


def test_what_a_start_left_unfinished_is_made_anew(folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o700)
    (folder / "pepper.new").write_text("cut o")
    assert len(open_keys(folder).pepper) == 64
    assert not (folder / "pepper.new").exists()


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"keys folder .*: .*; make it writable for this user"):
        open_keys(tmp_path / place)


def test_two_starts_at_once_have_the_same_keys(folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from storage.keys.house_keys import open_house_keys;"
        "sys.stdin.readline();"
        "print(open_house_keys(Path(sys.argv[1]), {}).fingerprint())"
    )
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for start in starts:
        assert start.stdin is not None
        start.stdin.write("\n")
        start.stdin.flush()
    answers = {start.communicate(timeout=20)[0] for start in starts}
    assert answers == {open_keys(folder).fingerprint() + "\n"}


def test_keys_are_shown_to_nobody(folder: Path) -> None:
    keys = open_keys(folder)
    shown = f"{keys!r} {keys} {keys.fingerprint()}"
    assert not any((folder / name).read_text() in shown for name in NAMES)


def test_every_tenant_has_a_content_key_of_its_own(folder: Path) -> None:
    keys = open_keys(folder)
    assert len({keys.tenant_content_key(tenant) for tenant in range(100)}) == 100
    assert keys.tenant_content_key(7) == open_keys(folder).tenant_content_key(7)
    assert keys.tenant_content_key(7) != open_keys(folder, SUPPLIED).tenant_content_key(7)
