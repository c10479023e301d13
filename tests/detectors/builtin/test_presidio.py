"""Presidio takes part where it is installed, and is not missed where it is not."""

from __future__ import annotations

import socket
from importlib.util import find_spec

import pytest

from detectors.build import build_chain
from detectors.builtin.presidio import DETECTOR, RULE
from detectors.chain import InspectionOptions
from detectors.rules import load_signatures
from detectors.signature_scan import SignatureScan
from detectors.types import Direction, InspectionContext, Kind, Origin, Place, Segment, Span
from detectors.views import ViewBuilder

INSTALLED = find_spec("presidio_analyzer") is not None
TEXT = "My US passport is 533401372, write to anna@example.org about it."


def segment(text: str) -> Segment:
    return Segment(Direction.REQUEST, Origin.USER, Kind.TEXT, Place.VALUE, "/0", text)


@pytest.mark.skipif(INSTALLED, reason="Presidio is installed")
async def test_where_it_is_absent_nothing_is_asked_and_nothing_fails() -> None:
    assert DETECTOR.build(load_signatures(), SignatureScan(())) is None

    inspection = await build_chain(load_signatures()).inspect([segment(TEXT)], InspectionOptions())

    assert (inspection.failed, inspection.undecided, inspection.degraded) == ((), (), ())
    assert "presidio" not in {finding.detector for finding in inspection.findings}


@pytest.mark.skipif(not INSTALLED, reason="the extra is not installed")
async def test_it_finds_by_context_at_any_place_and_asks_no_network(
    builder: ViewBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", None)  # whoever looks up a host fails
    detector = DETECTOR.build(load_signatures(), SignatureScan(()))
    long = "Some words. " * 700

    assert detector is not None
    near, far = await detector.inspect(
        [builder.build(segment(t)).views for t in (TEXT, long + TEXT)], InspectionContext()
    )

    assert ("US_PASSPORT", Span(18, 27)) in {(hit.kind, hit.span) for hit in near}
    assert len(long) + 18 in {hit.span.start for hit in far if hit.span is not None}
    assert {hit.rule_id for hit in (*near, *far)} == {RULE}
