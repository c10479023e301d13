"""Versions of heads: numbered, whole or not there, revocable, by a tenant's id."""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from detectors.errors import StorageError
from detectors.models.tenant_head import Weights, head_of, pack
from detectors.types import Origin
from proxy.additions.head_files import HeadFiles

CONTENT = pack(
    head_of({Origin.USER: Weights(np.array([1], np.int32), np.array([1], np.float16))}, "w1", {"by": "anna"})
)


@pytest.fixture
def files(tmp_path: Path) -> HeadFiles:
    return HeadFiles(tmp_path / "heads")


def test_the_newest_version_comes_first_until_it_is_revoked(files: HeadFiles, tmp_path: Path) -> None:
    assert [files.keep(7, CONTENT), files.keep(7, CONTENT), files.keep(8, CONTENT)] == [1, 2, 1]
    folder = tmp_path / "heads"
    first, second = folder / "7" / "1.npz", folder / "7" / "2.npz"
    assert files.in_use() == {7: (second, first), 8: (folder / "8" / "1.npz",)}
    files.revoke(7, 2)
    assert files.in_use()[7] == (first,)
    files.revoke(7, 1)
    assert 7 not in files.in_use()
    assert [(one.version, one.revoked) for one in files.kept(7)] == [(2, True), (1, True)]


def test_a_full_disk_leaves_no_halves(files: HeadFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.keep(7, CONTENT)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "heads")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        files.keep(7, CONTENT)
    assert [file.name for file in (tmp_path / "heads" / "7").iterdir()] == ["1.npz"]


def test_what_is_revoked_elsewhere_is_so_where_both_files_are(files: HeadFiles, tmp_path: Path) -> None:
    for version in range(1, 9):
        files.keep(7, CONTENT)
        (tmp_path / "heads" / "7" / f"{version}.revoked").write_bytes(CONTENT)
    assert files.in_use() == {}
    assert all(one.revoked for one in files.kept(7))


def test_a_revoked_version_is_never_numbered_again(files: HeadFiles) -> None:
    files.keep(7, CONTENT)
    files.revoke(7, 1)
    assert files.keep(7, CONTENT) == 2


def test_what_is_no_version_in_use_cannot_be_revoked(files: HeadFiles) -> None:
    files.keep(7, CONTENT)
    files.revoke(7, 1)
    for version in (1, 2):
        with pytest.raises(StorageError, match=f"no version {version}"):
            files.revoke(7, version)


def test_nobody_else_reads_a_head(files: HeadFiles, tmp_path: Path) -> None:
    files.keep(7, CONTENT)
    file = tmp_path / "heads" / "7" / "1.npz"
    assert (file.stat().st_mode & 0o077, file.parent.stat().st_mode & 0o077) == (0, 0)


def test_what_cannot_be_read_is_listed_with_its_problem(files: HeadFiles, tmp_path: Path) -> None:
    files.keep(7, CONTENT)
    (tmp_path / "heads" / "7" / "1.npz").write_bytes(b"x")
    (one,) = files.kept(7)
    assert (one.head, one.problem) == (None, "is no head")


def test_other_files_are_none_of_its_business(files: HeadFiles, tmp_path: Path) -> None:
    for name in ("readme", "7/notes.txt", "7/.3.npz", "7/x.npz", "acme/1.npz", "7/1\u00b2.npz", "\u00b2/1.npz"):
        (tmp_path / "heads" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "heads" / name).touch()
    assert files.in_use() == {}
    assert files.kept(7) == ()


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    (tmp_path / "heads").write_text("a file where a folder is to be")
    with pytest.raises(StorageError, match="heads"):
        HeadFiles(tmp_path / "heads").keep(7, CONTENT)


def test_two_that_are_kept_at_once_are_two_versions(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(lambda _: HeadFiles(tmp_path).keep(7, b"a head"), range(24)))
    assert sorted(versions) == list(range(1, 25))
    assert len(list((tmp_path / "7").iterdir())) == 24
