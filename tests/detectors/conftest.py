"""The readings of a text by the shipped decoders, and a clock that tells whether work grows with the text."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import pytest

import detectors.decoders
from detectors.decoding import Decoder
from detectors.discovery import discover
from detectors.rules import STORE
from detectors.types import Direction, Kind, Origin, Place, Segment, Span
from detectors.views import Lattice, ViewBuilder


class Linear(Protocol):
    def __call__(self, work: Callable[[str], object], unit: str, size: int = ...) -> bool: ...


@pytest.fixture(scope="session")
def builder() -> ViewBuilder:
    return ViewBuilder(discover(detectors.decoders, "DECODER", Decoder), STORE)


@pytest.fixture(scope="session")
def lattice(builder: ViewBuilder) -> Callable[[str], Lattice]:
    """All readings of a user's text."""
    return lambda text: builder.build(
        Segment(Direction.REQUEST, Origin.USER, Kind.TEXT, Place.VALUE, "/messages/0/content", text)
    )


@pytest.fixture(scope="session")
def readings(lattice: Callable[[str], Lattice]) -> Callable[[str], list[str]]:
    return lambda text: [view.text for view in lattice(text).views]


@pytest.fixture(scope="session")
def made_of(lattice: Callable[[str], Lattice]) -> Callable[[str, str], str]:
    """What of a text the plainest reading that says `needle` was made of; empty if none says it."""

    def source(text: str, needle: str) -> str:
        for view in lattice(text).views:
            start = view.text.find(needle)
            if start >= 0:
                span = view.to_source(Span(start, start + len(needle)))
                return text[span.start : span.end]
        return ""

    return source


@pytest.fixture(scope="session")
def linear() -> Linear:
    """Tell whether ten times a text costs at most fifteen times as much. Asked thrice: machines are shared."""

    def holds(work: Callable[[str], object], unit: str, size: int = 100_000) -> bool:
        short, long = (unit * (length // len(unit) + 1) for length in (size // 10, size))
        return any(_seconds(work, long) <= 15 * _seconds(work, short) + 0.01 for _ in range(3))

    return holds


def _seconds(work: Callable[[str], object], text: str) -> float:
    start = time.thread_time()
    work(text)
    return time.thread_time() - start
