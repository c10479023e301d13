"""Positions survive a restart, and nothing that can happen to their file stops a reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.errors import JournalError
from storage.journal.positions import Position, load_positions, position_file, save_positions


def test_positions_come_back_the_same(tmp_path: Path) -> None:
    file = position_file(tmp_path, "siem")
    positions = {"a": Position(3, 400, 2, 17), "b": Position(1, 0)}
    save_positions(file, positions)
    assert load_positions(file) == positions


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"1", b'{"a": 3}', b'{"a": ["x"]}', b'{"a": [1, 2, 3, 4, 5]}', b'{"a": []}']
)
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    file = position_file(tmp_path, "siem")
    file.write_bytes(content)
    assert load_positions(file) == {}


def test_no_name_of_a_sink_leads_out_of_the_folder(tmp_path: Path) -> None:
    for name in ("../../etc/passwd", "/etc/passwd", "a/b", "..", "ü ö"):
        assert position_file(tmp_path, name).parent == tmp_path
        save_positions(position_file(tmp_path, name), {name: Position(1, 2)})
        assert load_positions(position_file(tmp_path, name)) == {name: Position(1, 2)}


def test_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError):
        save_positions(tmp_path / "gone" / "x.position", {})
    assert load_positions(tmp_path / "gone" / "x.position") == {}


def test_positions_are_in_the_order_of_reading() -> None:
    assert Position(1, 900) < Position(2, 0) < Position(2, 1) < Position(2, 1, 1)
