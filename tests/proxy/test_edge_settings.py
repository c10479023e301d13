"""The edge's bounds: all of them there without a word, and none that would let nobody in."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from proxy.edge_settings import EdgeSettings


def test_without_a_word_every_wait_has_an_end() -> None:
    edge = EdgeSettings()

    assert (edge.head_idle, edge.body_idle, edge.body_total, edge.keep_alive) == (10, 30, 300, 75)


def test_bytes_are_written_as_people_write_them() -> None:
    assert EdgeSettings(held="64 MiB").held == 64 << 20


@pytest.mark.parametrize("wrong", [{"head_idle": 0}, {"body_total": -1}, {"in_flight": 0}, {"held": 0}, {"idle": 3}])
def test_a_bound_that_lets_nobody_in_or_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EdgeSettings(**wrong)
