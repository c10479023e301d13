from __future__ import annotations

from proxy.control.console.icons import icon
from proxy.control.console.navigation import navigation


def test_a_picture_says_nothing_to_those_who_listen() -> None:
    assert 'aria-hidden="true"' in icon("block")


def test_a_name_of_a_stranger_draws_nothing_of_it() -> None:
    assert icon("<script>") == icon("none")


def test_every_place_has_a_picture_of_its_own() -> None:
    shapes = [icon(place.icon) for _, places in navigation(lambda _: True) for place in places]
    assert len(set(shapes)) == len(shapes)
    assert icon("none") not in shapes
