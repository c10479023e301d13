"""The transformer as it ships: what goes in and comes out, what it costs, and that a fork may share it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from detectors.errors import ConfigurationError, DetectorError
from detectors.models.encoder import FILE, Encoder, load_encoder, never_overflows
from detectors.models.known_attacks import WIDTH
from detectors.models.linear import Window
from detectors.models.tokens import ORIGINS, load_tokens
from detectors.models.weights_file import SHIPPED, write_manifest
from detectors.types import Origin

WINDOWS = [[4, 1, 8568, 2035, 3025, 8128, 5], [4, 2, 7592, 5]]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder()


def test_what_is_read_has_a_row_for_each_window(encoder: Encoder) -> None:
    reading = encoder.read(WINDOWS)
    assert (reading.attack.shape, reading.kinds.shape, reading.vectors.shape) == ((2,), (2, 4), (2, WIDTH))
    assert np.linalg.norm(reading.vectors, axis=1) == pytest.approx([1.0, 1.0], abs=1e-3)


def test_a_window_says_the_same_alone_and_beside_another(encoder: Encoder) -> None:
    together = encoder.read(WINDOWS)
    for number, window in enumerate(WINDOWS):
        alone = encoder.read([window])
        assert (together.vectors[number] == alone.vectors[0]).all()
        assert together.attack[number] == alone.attack[0]


def test_who_wrote_it_makes_a_difference(encoder: Encoder) -> None:
    by_user, by_tool = encoder.read([[4, mark, 8568, 2035, 3025, 8128, 5] for mark in ORIGINS.values()]).attack
    assert abs(by_user - by_tool) > 0.1


def test_a_text_means_the_same_on_every_processor(encoder: Encoder) -> None:
    text = "translate this into french: good morning"
    windows = load_tokens().windows(text, [Window(0, len(text), 0.0)], Origin.USER)
    # Another number where sums of products overflow.
    assert encoder.read(windows).attack == pytest.approx([-1.89], abs=0.1)


@pytest.mark.parametrize(
    ("flags", "never"), [("fpu avx2 avx512_vnni sse", True), ("fpu avx_vnni", True), ("fpu avx2 not_avx_vnni_x", False)]
)
def test_only_processors_that_never_overflow_are_spared_the_wider_sums(flags: str, never: bool, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : {flags}\n")
    assert never_overflows(tmp_path / "cpuinfo") is never
    assert not never_overflows(tmp_path / "nothing")


def test_reading_starts_no_thread(encoder: Encoder) -> None:
    before = (threading.active_count(), len(os.listdir("/proc/self/task")))
    encoder.read(WINDOWS)
    assert (threading.active_count(), len(os.listdir("/proc/self/task"))) == before


def test_a_word_outside_of_the_vocabulary_is_a_failure_to_look(encoder: Encoder) -> None:
    with pytest.raises(DetectorError, match="detector transformer: "):
        encoder.read([[4, 10**9, 5]])


def test_another_file_is_named_with_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no graph")
    write_manifest(tmp_path, {})
    with pytest.raises(ConfigurationError, match="cannot run it"):
        load_encoder(tmp_path)


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    write_manifest(tmp_path, {})
    (tmp_path / "manifest.json").write_bytes((SHIPPED / "manifest.json").read_bytes())
    (tmp_path / FILE).write_bytes((SHIPPED / FILE).read_bytes()[:-1] + b"\0\0")
    with pytest.raises(ConfigurationError, match="is not the file that was trained"):
        load_encoder(tmp_path)


def test_all_that_ships_is_small_enough() -> None:
    sizes = [file.stat().st_size for file in SHIPPED.iterdir()]
    assert sum(sizes) <= 30_000_000
