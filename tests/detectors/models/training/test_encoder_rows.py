"""What a batch of windows looks like to the network that is trained."""

from __future__ import annotations

from detectors.models.training.encoder_rows import padded


def test_a_shorter_one_is_filled_up() -> None:
    assert padded([[4, 1, 8568, 2035, 5], [4, 2, 5]]).tolist() == [[4, 1, 8568, 2035, 5], [4, 2, 5, 0, 0]]
