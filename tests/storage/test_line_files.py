"""Files of lines through everything that a disk, a crash and a clock can do to them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from detectors.errors import UnavailableError
from storage.line_files import Line, LineFiles, Rotation
from tests.full_disk import a_full_disk

NOON = 1_790_078_400.0  # 2026-09-22 12:00 UTC
DAY = 86_400.0
PATTERN = re.compile(rb'"id":"([^"]+)"')


def lines(*ids: str) -> list[Line]:
    return [Line(name, b'{"id":"%b"}\n' % name.encode()) for name in ids]


def files_in(folder: Path, rotation: Rotation | None = None) -> LineFiles:
    return LineFiles(folder, "log", rotation or Rotation(1 << 20), PATTERN)


def written(folder: Path) -> list[str]:
    return [i.decode() for file in sorted(folder.glob("*.jsonl")) for i in PATTERN.findall(file.read_bytes())]


@pytest.fixture
def files(tmp_path: Path) -> Iterator[LineFiles]:
    opened = files_in(tmp_path)
    yield opened
    opened.close()


def test_files_and_their_folder_are_for_their_owner_alone(tmp_path: Path) -> None:
    files = files_in(tmp_path / "new")
    files.append(lines("a"), NOON)
    (file,) = (tmp_path / "new").glob("*.jsonl")
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    files.close()


def test_a_new_day_begins_a_new_file(files: LineFiles, tmp_path: Path) -> None:
    files.append(lines("a"), NOON)
    files.append(lines("b"), NOON + DAY)
    assert [f.name for f in sorted(tmp_path.glob("*.jsonl"))] == [
        "log-20260922.000001.jsonl",
        "log-20260923.000001.jsonl",
    ]


def test_a_clock_that_is_set_back_keeps_the_order_of_names(files: LineFiles, tmp_path: Path) -> None:
    files.append(lines("a"), NOON)
    files.append(lines("b"), NOON - DAY)
    files.seal()
    files.append(lines("c"), NOON - DAY)
    assert [f.name for f in sorted(tmp_path.glob("*.jsonl"))] == [
        "log-20260922.000001.jsonl",
        "log-20260922.000002.jsonl",
    ]
    assert written(tmp_path) == ["a", "b", "c"]


def test_a_full_file_is_followed_by_the_next_and_the_oldest_go(tmp_path: Path) -> None:
    files = files_in(tmp_path, Rotation(size=30, files=2))
    for name in "abcdefgh":
        files.append(lines(name * 4), NOON)
    assert written(tmp_path) == [c * 4 for c in "cdefgh"]
    files.close()


def test_all_files_together_stay_below_their_bound(tmp_path: Path) -> None:
    files = files_in(tmp_path, Rotation(size=30, total=70))
    for name in "abcdefgh":
        files.append(lines(name * 4), NOON)
    assert files.size() <= 70 + 30
    assert written(tmp_path)[-1] == "hhhh"
    files.close()


def test_a_line_that_is_there_is_not_written_again(files: LineFiles, tmp_path: Path) -> None:
    files.append(lines("a", "b"), NOON)
    files.append(lines("b", "c", "c"), NOON)
    assert written(tmp_path) == ["a", "b", "c"]


def test_what_was_there_is_known_after_a_restart_and_over_a_rotation(tmp_path: Path) -> None:
    before = files_in(tmp_path)
    before.append(lines("a"), NOON)
    before.append(lines("b"), NOON + DAY)
    before.close()
    after = files_in(tmp_path)
    after.append(lines("a", "b", "c"), NOON + DAY)
    after.close()
    assert written(tmp_path) == ["a", "b", "c"]


@pytest.mark.parametrize("torn", [b'{"id":"b', b"\0" * 5000, b'{"id":"b"}' + b"x" * 3_000_000])
def test_what_a_crash_cut_off_is_moved_aside_and_written_anew(torn: bytes, tmp_path: Path) -> None:
    before = files_in(tmp_path)
    before.append(lines("a"), NOON)
    before.close()
    (file,) = tmp_path.glob("*.jsonl")
    file.write_bytes(file.read_bytes() + torn)
    after = files_in(tmp_path)
    after.append(lines("a", "b"), NOON)
    after.close()
    assert written(tmp_path) == ["a", "b"]
    assert file.with_suffix(".torn").read_bytes() == torn
    assert file.with_suffix(".torn").stat().st_mode & 0o777 == 0o600


def test_a_file_that_holds_nothing_but_a_torn_line_is_mended(tmp_path: Path) -> None:
    (tmp_path / "log-20260922.000001.jsonl").write_bytes(b'{"id":')
    files = files_in(tmp_path)
    files.append(lines("a"), NOON)
    files.close()
    assert written(tmp_path) == ["a"]


def test_a_full_disk_takes_all_or_nothing_and_then_goes_on(files: LineFiles, tmp_path: Path) -> None:
    files.append(lines("a"), NOON)
    with a_full_disk(), pytest.raises(UnavailableError, match="File too large"):
        files.append(lines("b", "c"), NOON)
    assert written(tmp_path) == ["a"]
    files.append(lines("b", "c"), NOON)
    assert written(tmp_path) == ["a", "b", "c"]


def test_a_file_that_somebody_removed_is_begun_again(files: LineFiles, tmp_path: Path) -> None:
    files.append(lines("a"), NOON)
    for file in tmp_path.glob("*.jsonl"):
        file.unlink()
    files.append(lines("b"), NOON)
    assert written(tmp_path) == ["b"]


def test_a_folder_has_one_writer(files: LineFiles, tmp_path: Path) -> None:
    files.append(lines("a"), NOON)
    second = files_in(tmp_path)
    with pytest.raises(UnavailableError, match="another process"):
        second.append(lines("b"), NOON)
    files.close()
    second.append(lines("b"), NOON)
    second.close()
    assert written(tmp_path) == ["a", "b"]


def test_a_link_in_the_place_of_a_file_is_not_followed(files: LineFiles, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"precious")
    (tmp_path / "log-20260922.000001.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnavailableError):
        files.append(lines("a"), NOON)
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"


def test_the_age_of_what_an_earlier_process_began_is_unknown_and_so_enough(tmp_path: Path) -> None:
    files = files_in(tmp_path)
    files.append(lines("a"), NOON)
    assert files.age(NOON + 5) == 5
    files.close()
    files.open()
    assert files.age(NOON + 5) == math.inf
    files.seal()
    assert files.age(NOON + 5) == 0
    assert len(files.finished()) == 1
    files.close()


def test_the_age_of_what_was_begun_before_the_clock_was_put_back_is_enough(files: LineFiles) -> None:
    files.append(lines("a"), NOON + 30 * DAY)
    assert files.age(NOON + 30 * DAY + 5) == 5
    assert files.age(NOON) == math.inf
