"""A worker that begins knows what its predecessor's tenants send with every request, and nothing of anybody else's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from detectors.batch import StageHits
from detectors.chain import Chain, InspectionOptions
from detectors.types import Direction, Kind, Origin, Place, Segment
from detectors.views import ViewBuilder
from proxy.warming import PINNED_FROM, Sample, Warming
from storage.cache import LruFindingsCache
from tests.detectors.test_plan import Blind

KEY = b"k" * 32


@dataclass
class Kept:
    """Pinned findings in a dict."""

    by_tenant: dict[int, dict[bytes, StageHits]] = field(default_factory=dict)

    async def load(self, tenant_id: int) -> Mapping[bytes, StageHits]:
        return self.by_tenant.get(tenant_id, {})

    async def keep(self, tenant_id: int, found: Mapping[bytes, StageHits]) -> None:
        self.by_tenant.setdefault(tenant_id, {}).update(found)


def request(question: str) -> list[Segment]:
    texts = [(Origin.SYSTEM, "You are the archive's assistant."), (Origin.USER, question)]
    return [Segment(Direction.REQUEST, origin, Kind.TEXT, Place.VALUE, "/0", text) for origin, text in texts]


def worker(kept: Kept) -> tuple[Chain, Warming]:
    chain = Chain([Blind("reader")], ViewBuilder([]), "1", LruFindingsCache())
    return chain, Warming(chain, kept)


async def serve(chain: Chain, warming: Warming, question: str, tenant_id: int = 7) -> int:
    """Return how many texts of a request were known."""
    segments = request(question)
    options = InspectionOptions(content_key=KEY)
    await warming.look(Sample(tenant_id, segments, options))
    return (await chain.inspect(segments, options)).coverage.cached


async def test_what_requests_repeat_is_pinned_and_a_new_worker_takes_it_up() -> None:
    kept = Kept()
    chain, warming = worker(kept)
    for number in range(PINNED_FROM + 2):
        await serve(chain, warming, f"Question {number}")

    known = await serve(*worker(kept), "Another question")

    assert len(kept.by_tenant[7]) == 1
    assert known == 1


async def test_what_comes_seldom_is_not_pinned() -> None:
    kept = Kept()
    chain, warming = worker(kept)
    for number in range(PINNED_FROM):  # the first one is not known yet when it is looked at
        await serve(chain, warming, f"Question {number}")

    assert kept.by_tenant == {}


async def test_without_a_request_nothing_is_looked_at() -> None:
    _, warming = worker(Kept())

    await warming.look(None)
