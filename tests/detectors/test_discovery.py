"""Plug-ins are found by their folder alone, and one that offers nothing is told."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from detectors.discovery import discover

Rooms = Callable[..., ModuleType]


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rooms]:
    """Make an importable package of modules given as source."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "plugins_for_test").mkdir()

    def make(**modules: str) -> ModuleType:
        for name, source in {"__init__": "", **modules}.items():
            (tmp_path / "plugins_for_test" / f"{name}.py").write_text(source)
        return importlib.import_module("plugins_for_test")

    yield make
    for name in [name for name in sys.modules if name.startswith("plugins_for_test")]:
        del sys.modules[name]


def test_offers_come_in_the_order_of_their_modules(room: Rooms) -> None:
    assert discover(room(b="OFFER = 2", a="OFFER = 1", c="OFFER = 3"), "OFFER", int) == (1, 2, 3)


def test_a_module_with_an_underscore_offers_nothing(room: Rooms) -> None:
    assert discover(room(_shared="", a="OFFER = 1"), "OFFER", int) == (1,)


@pytest.mark.parametrize("source", ["", "OFFER = 'text'", "offer = 1", "OFFER = int"])
def test_a_module_without_its_offer_is_told_by_name(room: Rooms, source: str) -> None:
    with pytest.raises(TypeError, match=r"plugins_for_test\.a offers no OFFER of type int"):
        discover(room(a=source), "OFFER", int)


def test_an_empty_room_offers_nothing(room: Rooms) -> None:
    assert discover(room(), "OFFER", int) == ()
