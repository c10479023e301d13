"""Room is free for all while there is enough, shared fairly when there is not, and given back whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.errors import EdgeError
from proxy.overload import WANTED_SECONDS, Place, Room


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def inside(room: Room, tenant: str, size: int = 0) -> Place:
    place = Place(room)
    place.enter()
    try:
        place.claim(tenant, size)
    except EdgeError:
        place.leave()
        raise
    return place


def refusal(work: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(EdgeError) as caught:
        work()
    return caught.value.status, caught.value.code


TENANT, WORKER = (429, "overloaded_tenant"), (503, "overloaded")


def test_a_tenant_alone_may_use_all_the_room_and_no_more() -> None:
    room = Room(8, 1000)
    places = [inside(room, "acme") for _ in range(8)]

    assert refusal(lambda: inside(room, "acme")) == TENANT
    places[0].leave()
    inside(room, "acme")


def test_who_has_less_than_its_share_is_told_that_the_worker_is_full() -> None:
    room = Room(8, 1000)
    for _ in range(8):
        inside(room, "acme")

    assert refusal(lambda: inside(room, "globex")) == WORKER


def test_a_newcomer_gets_its_share_as_soon_as_something_is_free() -> None:
    room = Room(8, 1000, Clock())
    old = [inside(room, "acme") for _ in range(8)]
    assert refusal(lambda: inside(room, "globex")) == WORKER
    for _ in range(4):
        old.pop().leave()
        assert refusal(lambda: inside(room, "acme")) == TENANT or len(old) < 7
        inside(room, "globex")

    assert refusal(lambda: inside(room, "acme")) == TENANT


def test_two_tenants_that_never_stop_asking_come_to_have_half_each() -> None:
    clock = Clock()
    room = Room(16, 1000, clock)
    places: dict[str, list[tuple[float, Place]]] = {"acme": [], "globex": []}
    for _ in range(200):
        clock.now += 0.1
        for own in places.values():
            while own and own[0][0] <= clock.now:
                own.pop(0)[1].leave()
        for tenant in ("acme", "acme", "acme", "acme", "acme", "globex"):  # one of them asks five times as often
            with suppress(EdgeError):
                places[tenant].append((clock.now + 1.0, inside(room, tenant)))

    assert len(places["globex"]) >= 7
    assert len(places["acme"]) >= 7


def test_a_tenant_that_has_stopped_asking_shares_no_longer() -> None:
    clock = Clock()
    room = Room(8, 1000, clock)
    places = [inside(room, "acme") for _ in range(8)]
    assert refusal(lambda: inside(room, "globex")) == WORKER
    places[0].leave()
    assert refusal(lambda: inside(room, "acme")) == TENANT
    clock.now += WANTED_SECONDS + 1

    inside(room, "acme")


def test_bytes_of_bodies_are_room_too() -> None:
    room = Room(100, 1000)
    inside(room, "acme", 600)
    inside(room, "acme", 400)

    assert refusal(lambda: inside(room, "acme", 1)) == TENANT
    assert refusal(lambda: inside(room, "globex", 1)) == WORKER
    inside(room, "globex", 0)  # a request without a body has room


def test_a_body_that_was_reckoned_too_large_gives_back_what_it_does_not_need() -> None:
    room = Room(100, 1000)
    place = inside(room, "acme", 1000)
    assert refusal(lambda: inside(room, "globex", 500)) == WORKER
    place.correct(10)
    other = inside(room, "globex", 500)
    place.leave()
    other.leave()

    inside(room, "acme", 1000)


def test_a_body_larger_than_all_the_room_gets_in_where_nobody_is() -> None:
    room = Room(100, 1000)
    place = inside(room, "acme", 5000)
    assert refusal(lambda: inside(room, "acme", 5000)) == TENANT
    place.leave()

    inside(room, "acme", 5000)


def test_the_smallest_room_still_serves_everybody_in_turn() -> None:
    room = Room(1, 1)
    for tenant in ("acme", "globex", "acme"):
        place = inside(room, tenant, 1)
        assert refusal(lambda: inside(room, "initech", 1)) == WORKER
        place.leave()


def test_whoever_nobody_knows_yet_waits_at_a_door_that_has_an_end() -> None:
    room = Room(4, 1000)
    waiting = [Place(room) for _ in range(9)]
    for place in waiting[:8]:
        place.enter()

    assert refusal(waiting[8].enter) == WORKER
    waiting[8].leave()  # it never came in, so it takes nothing with it
    assert refusal(waiting[8].enter) == WORKER
    waiting[0].leave()
    waiting[8].enter()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 700), st.integers(0, 3)), max_size=60))
def test_whatever_comes_and_goes_the_room_is_never_overdrawn_and_empty_at_the_end(
    steps: list[tuple[str, int, int]],
) -> None:
    room, places = Room(5, 1000, Clock()), list[Place]()
    for tenant, size, leaving in steps:
        with suppress(EdgeError):
            places.append(inside(room, tenant, size))
        assert room._used.exchanges <= 5
        assert room._used.size <= 1000
        for place in places[:leaving]:
            place.leave()
        del places[:leaving]
    for place in [*places, *places]:  # leaving twice takes nothing from others
        place.leave()

    assert (room._used.exchanges, room._used.size, room._by_tenant, room._at_the_door) == (0, 0, {}, 0)
