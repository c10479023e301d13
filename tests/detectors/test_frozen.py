"""Frozen for the type checker, open and cheap at run time, and still values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from detectors.frozen import statically_frozen


@statically_frozen
@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 2
    tags: list[str] = field(default_factory=list)


def test_it_is_made_with_the_same_arguments_and_defaults() -> None:
    assert (Point(1).x, Point(1).y, Point(x=1, y=3).y) == (1, 2, 3)


def test_a_default_factory_makes_a_new_value_each_time() -> None:
    assert Point(1).tags is not Point(1).tags


def test_it_is_equal_by_value_and_can_be_replaced() -> None:
    assert Point(1) == Point(1)
    assert replace(Point(1), y=5) == Point(1, 5)


def test_it_has_slots_and_takes_no_other_attribute() -> None:
    assert not hasattr(Point(1), "__dict__")
