"""The journal's folder: who writes in it, how much lies there, and files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detectors.errors import JournalError
from storage.journal.folder import (
    adopt,
    carry_over,
    journal_size,
    lock_of_the_dead,
    read_piece,
    read_tail,
    remove,
    replace_file,
    segment_name,
    size_of,
    writers_in,
    written_at,
)


def test_writers_are_known_by_their_locks_and_by_their_segments(tmp_path: Path) -> None:
    for name in (
        "a.lock", "b.000010.jnl", "b.000002.jnl", "b.1000000.jnl", "b.000001.torn", "c.new", "siem.position", "d.x.jnl",
    ):  # fmt: skip
        (tmp_path / name).touch()
    assert writers_in(tmp_path) == {"a": [], "b": [2, 10, 1000000]}
    assert writers_in(tmp_path / "missing") == {}


def test_what_lies_under_another_name_is_adopted_from_the_dead_alone(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "host-8000"
    for file in (other / "a.000000.jnl", other / "a.000002.jnl", other / "a.lock", other / "shelf.position",
                 other / "alive.000001.jnl", own / "b.000001.jnl", tmp_path / "c.000001.jnl"):  # fmt: skip
        file.parent.mkdir(exist_ok=True)
        file.write_text(file.name)
    alive = lock_of_the_dead(other, "alive")
    assert alive is not None

    assert adopt(own) == 2
    assert writers_in(own) == {"a": [0, 2], "b": [1]}
    assert (own / "a.000002.jnl").read_text() == "a.000002.jnl"
    assert writers_in(other) == {"alive": [1]}
    assert adopt(own) == 0
    os.close(alive)


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="Not a directory"):
        writers_in(tmp_path / "file")


def test_the_size_of_a_journal_is_that_of_all_its_segments(tmp_path: Path) -> None:
    for name, size in (("a/w.000001.jnl", 3), ("b/w.000001.jnl", 4), ("b/w.000001.torn", 9), ("b/w.lock", 9)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / "a" / "gone.jnl").symlink_to("nowhere")
    assert journal_size(tmp_path) == 7
    assert journal_size(tmp_path / "missing") == 0


def test_a_file_that_is_gone_is_empty_and_old(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert (size_of(gone), written_at(gone), read_piece(gone, 0, 9), read_tail(gone)) == (0, 0, b"", b"")
    remove(gone)
    remove(gone, keep=True)


def test_a_file_that_cannot_be_read_or_removed_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "w.000001.jnl").mkdir()
    with pytest.raises(JournalError, match="Is a directory"):
        read_piece(tmp_path / "w.000001.jnl", 0, 9)
    with pytest.raises(JournalError, match=r"journal w\.000001\.jnl"):
        remove(tmp_path / "w.000001.jnl")


def test_what_is_kept_no_longer_counts_as_a_segment(tmp_path: Path) -> None:
    (tmp_path / segment_name("w", 1)).write_bytes(b"x")
    remove(tmp_path / segment_name("w", 1), keep=True)
    assert os.listdir(tmp_path) == ["w.000001.torn"]


def test_a_lock_is_taken_from_the_dead_only(tmp_path: Path) -> None:
    held = lock_of_the_dead(tmp_path, "w")
    assert held is not None
    assert lock_of_the_dead(tmp_path, "w") is None
    os.close(held)
    again = lock_of_the_dead(tmp_path, "w")
    assert again is not None
    os.close(again)
    assert lock_of_the_dead(tmp_path / "missing", "w") is None


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "w.position"
    replace_file(file, b"old")
    (tmp_path / "w.new").mkdir()  # it cannot be written
    with pytest.raises(JournalError):
        replace_file(file, b"new")
    assert file.read_bytes() == b"old"
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_is_carried_over_is_read_first(tmp_path: Path) -> None:
    (tmp_path / segment_name("w", 7)).touch()
    carry_over(tmp_path, "w", [b"one", b"two"])
    assert writers_in(tmp_path) == {"w": [0, 7]}
    assert read_tail(tmp_path / segment_name("w", 0)) == b"onetwo"
