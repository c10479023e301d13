"""Conditions on a replay are read strictly and hold for shares and numbers."""

from __future__ import annotations

import pytest

from policies.promotion import parse_conditions
from policies.replay import Tally

TALLY = Tally(decisions=1100, unjudged=100, newly_blocked=2, newly_allowed=0, undecidable=10)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("new_blocks < 0.1%", False),
        ("new_blocks <= 0.2%", True),
        ("new_blocks < 3 and undecidable<=1%", True),
        ("new_blocks < 3  and  new_allows > 0", False),
        ("new_allows == 0", True),
    ],
)
def test_all_conditions_must_hold(text: str, holds: bool) -> None:
    assert all(condition.holds(TALLY) for condition in parse_conditions(text)) is holds


@pytest.mark.parametrize(
    ("text", "holds"), [("new_blocks == 0", False), ("new_allows < 1%", False), ("undecidable <= 100%", True)]
)
def test_of_rows_that_cannot_be_decided_again_nothing_is_known(text: str, holds: bool) -> None:
    tally = Tally(decisions=1100, unjudged=100, undecidable=1000)
    assert all(condition.holds(tally) for condition in parse_conditions(text)) is holds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no condition"),
        ("new_blocks", "is no condition"),
        ("new_block < 1%", "did you mean 'new_blocks'"),
        ("new_blocks < 1% or new_allows == 0", "is no condition"),
        ("__import__('os') < 1", "is no condition"),
    ],
)
def test_what_is_no_condition_is_told(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_conditions(text)
