"""Steps that a score takes."""

from __future__ import annotations

import pytest

from policies.risk import RiskPolicy


@pytest.mark.parametrize(("score", "steps"), [(0.9, (False,) * 3), (1.0, (True, False, False)), (9.0, (True,) * 3)])
def test_a_step_is_taken_from_its_score_on(score: float, steps: tuple[bool, ...]) -> None:
    risk = RiskPolicy(strict_at=1, judge_at=2, block_at=3)
    assert (risk.stricter(score), risk.judged(score), risk.blocks(score)) == steps


def test_a_step_without_a_score_is_never_taken() -> None:
    risk = RiskPolicy()
    assert (risk.stricter(100), risk.judged(100), risk.blocks(100)) == (False, False, False)
