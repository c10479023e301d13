"""What was kept comes back as it was, or not at all."""

from __future__ import annotations

from pathlib import Path

from detectors.pattern_store import keep_stored, read_stored, stored_name


def test_what_was_kept_is_read_and_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "below" / "one.hsdb"
    keep_stored(file, b"compiled")

    assert read_stored(file) == b"compiled"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert read_stored(file) is None
    assert read_stored(tmp_path / "none") is None


def test_the_name_tells_engines_and_patterns_apart() -> None:
    names = {stored_name(engine, patterns) for engine in ("1", "2") for patterns in (["a", "b"], ["b", "a"], ["ab"])}

    assert len(names) == 6


def test_a_place_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    keep_stored(tmp_path / "file" / "one.hsdb", b"x")

    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
