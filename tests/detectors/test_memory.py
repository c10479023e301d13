"""What is remembered: by tenant, by stage, and counted."""

from __future__ import annotations

from detectors.chain import Chain, InspectionOptions
from detectors.memory import Lookup, Memory
from detectors.types import Direction, Kind, Origin, Place, Segment, Stage
from detectors.views import ViewBuilder
from storage.cache import LruFindingsCache
from tests.detectors.test_plan import Blind, Named

ANSWER = Segment(Direction.RESPONSE, Origin.ASSISTANT, Kind.TEXT, Place.VALUE, "/choices/0/message/content", "Paris.")
HISTORY = Segment(Direction.REQUEST, Origin.ASSISTANT, Kind.TEXT, Place.VALUE, "/messages/1/content", "Paris.")


async def cached(detector: Named) -> int:
    """Return how many texts of a request are known after an answer that it repeats."""
    chain = Chain([detector], ViewBuilder([]), "1", LruFindingsCache())
    options = InspectionOptions(content_key=b"k" * 32)
    await chain.inspect([ANSWER], options)
    return (await chain.inspect([HISTORY], options)).coverage.cached


async def test_an_answer_that_comes_back_as_history_is_known_to_who_reads_no_direction() -> None:
    assert await cached(Blind("signatures")) == 1


async def test_an_answer_that_comes_back_is_new_to_who_reads_the_direction() -> None:
    assert await cached(Named("other")) == 0


async def test_lookups_are_counted_by_stage() -> None:
    chain = Chain([Named("a"), Named("b", Stage.MODEL)], ViewBuilder([]), "1", LruFindingsCache())
    options = InspectionOptions(content_key=b"k" * 32)
    for _ in range(3):
        await chain.inspect([HISTORY, ANSWER], options)

    for stage in (Stage.PATTERN, Stage.MODEL):
        assert (chain.memory.counts[stage][Lookup.LOCAL], chain.memory.counts[stage][Lookup.MISS]) == (4, 2)


def test_hashing_is_kept_for_each_tenant_within_a_bound() -> None:
    memory = Memory(LruFindingsCache())
    ours = memory.hashing(b"k" * 32)

    assert memory.hashing(b"k" * 32) is ours
    assert memory.hashing(b"") is None
    for number in range(5000):
        memory.hashing(number.to_bytes(32))
    assert len(memory._hashing) <= 4096
