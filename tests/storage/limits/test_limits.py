"""Rate limits against a real Valkey: the shared one, or one that a test may stop and kill."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from secrets import randbits
from time import monotonic, perf_counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.errors import StorageError
from storage.embedded import EngineUrls
from storage.embedded.binaries import installed_binaries
from storage.limits.limits import SlidingWindows
from storage.redis_client import RedisClient, Script
from storage.types import LimitKey

pytestmark = pytest.mark.slow

PATIENCE = 5.0  # seconds; a busy test machine must not look like an outage


class Clock:
    """Time that passes when told to."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Valkey:
    """A server of one test's own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder

    def start(self) -> None:
        program = installed_binaries().valkey_server
        options = ["--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        self.process = subprocess.Popen([program, "--port", str(self.port), *options], stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    async def answers(self) -> None:
        async with connected(self.url) as redis, asyncio.timeout(PATIENCE):
            while True:
                try:
                    return await redis.ping()
                except StorageError:
                    await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(url: str, patience: float = PATIENCE) -> AsyncIterator[RedisClient]:
    client = RedisClient.connect(url, patience)
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
async def redis(engines: EngineUrls) -> AsyncIterator[RedisClient]:
    async with connected(engines.redis_url) as client:
        yield client


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def key(limit: int, *, name: str = "requests", seconds: int = 60, tenant: int | None = None) -> LimitKey:
    return LimitKey(randbits(48) if tenant is None else tenant, name, limit, seconds)


def workers(redis: RedisClient, number: int, clock: Clock | None = None) -> list[SlidingWindows]:
    return [SlidingWindows(redis, lambda: number, clock) for _ in range(number)]


async def admitted(limits: SlidingWindows, window: LimitKey, tries: int, amount: int = 1) -> int:
    grants = await asyncio.gather(*(limits.take([window], [amount]) for _ in range(tries)))
    return sum(grant.allowed for grant in grants)


def permits_in_hand(limits: SlidingWindows, window: LimitKey) -> int:
    return limits._leases[window]._permits


def fullest_window(takes: Sequence[tuple[float, int]], seconds: float) -> int:
    """Return the most units that any window of this length, its oldest instant excluded, has seen."""
    inside: deque[tuple[float, int]] = deque()
    fullest = held = 0
    for now, units in takes:
        inside.append((now, units))
        held += units
        while inside[0][0] <= now - seconds:
            held -= inside.popleft()[1]
        fullest = max(fullest, held)
    return fullest


class CountingRedis(RedisClient):
    """The real client, counting its calls."""

    calls = 0

    async def run_script(self, script: Script, keys: Sequence[str], args: Sequence[str | int | float]) -> object:
        self.calls += 1
        return await super().run_script(script, keys, args)


BURSTS = st.tuples(
    st.integers(0, 3),  # the worker
    st.integers(1, 12),  # takes at the same moment
    st.integers(1, 4),  # units of each
    st.sampled_from([0, 0, 1 / 120, 0.9 / 120, 2 / 120, 0.25, 119 / 120, 1, 121 / 120]),  # windows that pass first
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    limit=st.integers(1, 400),
    seconds=st.sampled_from([1, 7, 60, 86400]),
    start=st.floats(1.6e9, 1.8e9),
    bursts=st.lists(BURSTS, min_size=5, max_size=40),
)
def test_no_window_ever_admits_more_than_the_limit(
    engines: EngineUrls, limit: int, seconds: int, start: float, bursts: list[tuple[int, int, int, float]]
) -> None:
    async def scenario() -> list[tuple[float, int]]:
        clock, window, takes = Clock(start), key(limit, seconds=seconds), []
        async with connected(engines.redis_url) as redis:
            team = workers(redis, 4, clock)
            for worker, tries, amount, passes in bursts:
                clock.now += passes * seconds
                passed = await admitted(team[worker], window, tries, amount)
                takes.append((clock.now, passed * amount))
                await team[(worker + 1) % 4].flush()
            assert not any(limits.degraded for limits in team)
        return takes

    assert fullest_window(asyncio.run(scenario()), seconds) <= limit


async def test_the_whole_limit_is_there_for_one_worker(redis: RedisClient, clock: Clock) -> None:
    (alone,) = workers(redis, 1, clock)

    assert await admitted(alone, key(600), 700) == 600


async def test_workers_that_take_by_turns_reach_nearly_the_limit_and_never_pass_it(
    redis: RedisClient, clock: Clock
) -> None:
    team, window = workers(redis, 4, clock), key(600)

    passed = sum([await admitted(team[turn % 4], window, 10) for turn in range(80)])

    assert 600 - 600 // 20 <= passed <= 600


async def test_a_burst_at_the_end_of_a_bucket_still_counts_at_the_end_of_the_window(
    redis: RedisClient, clock: Clock
) -> None:
    (limits,), window = workers(redis, 1, clock), key(100)
    clock.now += 0.5 - 1e-6  # the last microsecond of a bucket
    assert await admitted(limits, window, 100) == 100

    clock.now += 60 - 1e-6
    assert await admitted(limits, window, 1) == 0

    clock.now += 0.5  # the bucket has left the window whole
    assert await admitted(limits, window, 101) == 100


async def test_a_lease_dies_with_the_bucket_that_counts_it(redis: RedisClient, clock: Clock) -> None:
    (holder, other), window = workers(redis, 2, clock), key(1000)
    clock.now += 0.4  # a bucket is half a second
    for _ in range(20):
        await holder.take([window], [1])
    assert permits_in_hand(holder, window) > 5

    clock.now += 0.12
    late = sum([await admitted(holder, window, 1) for _ in range(5)])
    clock.now += 120 * 0.5 - 0.02  # the first bucket has left, the second is still inside the window

    assert late == 5
    await holder.flush()  # it had reckoned with as many as in the bucket before
    assert late + await admitted(other, window, 1200) == 1000


async def test_a_refusal_says_when_the_request_will_fit(redis: RedisClient, clock: Clock) -> None:
    (limits,), window = workers(redis, 1, clock), key(10)
    await limits.take([window], [6])
    clock.now += 30
    await limits.take([window], [4])

    never = await limits.take([window], [11])
    many = await limits.take([window], [7])
    few = await limits.take([window], [6])

    assert (few.allowed, few.refused, few.limit, few.remaining) == (False, window, 10, 0)
    assert few.retry_after_seconds == pytest.approx(30.5)
    assert many.retry_after_seconds == pytest.approx(60.5)
    assert few.reset_seconds == pytest.approx(60.5)
    assert never.retry_after_seconds == pytest.approx(60.5)

    clock.now += few.retry_after_seconds
    assert (await limits.take([window], [6])).allowed


async def test_a_flood_of_refused_requests_asks_redis_once(engines: EngineUrls, clock: Clock) -> None:
    async with connected(engines.redis_url) as plain:
        redis = CountingRedis(plain._redis, PATIENCE)
        (limits,) = workers(redis, 1, clock)
        window = key(1)
        await limits.take([window], [1])
        await admitted(limits, window, 500)

    assert redis.calls == 2


async def test_most_takes_of_a_busy_worker_touch_no_socket(engines: EngineUrls) -> None:
    async with connected(engines.redis_url) as plain:
        redis = CountingRedis(plain._redis, PATIENCE)
        (limits,) = workers(redis, 1)
        window = key(1_000_000, seconds=86400)
        for _ in range(1000):
            assert (await limits.take([window], [1])).allowed

    assert redis.calls < 30


async def test_permits_that_nobody_used_come_back(redis: RedisClient, clock: Clock) -> None:
    (busy, other), window = workers(redis, 2, clock), key(1000)
    for _ in range(20):  # the batch grows, so permits lie in its hand
        await busy.take([window], [1])

    clock.now += 1
    await busy.flush()

    assert sum([await admitted(other, window, 1) for _ in range(1000)]) == 980


async def test_settling_gives_back_what_was_not_used_once(redis: RedisClient, clock: Clock) -> None:
    (limits,), window = workers(redis, 1, clock), key(100, name="tokens")
    grant = await limits.take([window], [80])
    assert not (await limits.take([window], [30])).allowed

    for _ in range(3):
        grant.settle({"tokens": 60, "other": 1})
        grant.release()

    assert (await limits.take([window], [40])).allowed
    assert not (await limits.take([window], [1])).allowed


async def test_a_large_correction_is_handed_in_at_once_and_a_small_one_later(redis: RedisClient, clock: Clock) -> None:
    (limits, other), window = workers(redis, 2, clock), key(1000, name="tokens")
    large, small = await limits.take([window], [900]), await limits.take([window], [90])
    small.settle({"tokens": 80})
    await limits.press()
    assert not (await other.take([window], [500])).allowed

    large.settle({"tokens": 12})
    clock.now += 0.2  # behind the refusal that the other remembers
    await limits.press()
    assert (await other.take([window], [500])).allowed


async def test_settling_charges_what_was_used_beyond_the_estimate(redis: RedisClient, clock: Clock) -> None:
    (limits, other), window = workers(redis, 2, clock), key(100, name="tokens")
    grant = await limits.take([window], [10])

    grant.settle({"tokens": 95})
    await limits.flush()

    assert not (await other.take([window], [6])).allowed
    assert (await other.take([window], [5])).allowed


async def test_a_request_takes_from_all_windows_or_from_none(redis: RedisClient, clock: Clock) -> None:
    (limits,), tenant = workers(redis, 1, clock), randbits(48)
    requests, tokens = key(5, tenant=tenant), key(10, name="tokens", tenant=tenant)

    refused = [await limits.take([requests, tokens], [1, 11]) for _ in range(20)]

    assert not any(grant.allowed for grant in refused)
    assert {grant.refused for grant in refused} == {tokens}
    assert await admitted(limits, requests, 6) == 5


async def test_all_windows_of_a_request_are_one_question(engines: EngineUrls, clock: Clock) -> None:
    async with connected(engines.redis_url) as plain:
        counting, tenant = CountingRedis(plain._redis, PATIENCE), randbits(48)
        limits = SlidingWindows(counting, lambda: 1, clock)
        windows = [key(4, name=name, tenant=tenant) for name in ("requests", "requests:app:1", "requests:key:1")]

        assert (await limits.take(windows, [1, 1, 1])).allowed
        assert counting.calls == 1
        clock.now += 1.0
        assert not (await limits.take(windows, [1, 4, 1])).allowed
        assert counting.calls == 2

        for window, left in zip(windows, (3, 3, 3), strict=True):  # nothing was taken of those behind either
            clock.now += 1.0
            assert await admitted(limits, window, 5) == left


async def test_two_requests_that_name_their_windows_the_other_way_round_do_not_wait_for_each_other(
    redis: RedisClient, clock: Clock
) -> None:
    (limits,), tenant = workers(redis, 1, clock), randbits(48)
    windows = [key(500, name=name, tenant=tenant) for name in ("requests", "tokens")]
    async with asyncio.timeout(10):
        grants = await asyncio.gather(*(limits.take(windows[:: 1 - 2 * (n % 2)], [1, 1]) for n in range(200)))

    assert all(grant.allowed for grant in grants)


async def test_a_cancelled_request_gives_its_first_window_back(redis: RedisClient, clock: Clock) -> None:
    (limits,), tenant = workers(redis, 1, clock), randbits(48)
    requests, tokens = key(1, tenant=tenant), key(10, name="tokens", tenant=tenant)
    await limits.take([tokens], [1])
    async with limits._leases[tokens].lock, asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(limits.take([requests, tokens], [1, 5]))
        while not limits._leases[tokens].waiting:  # noqa: ASYNC110 - a lock tells nobody about its queue
            await asyncio.sleep(0)
        waiting.cancel()

    assert (await limits.take([requests], [1])).allowed


async def test_a_negative_amount_adds_nothing(redis: RedisClient, clock: Clock) -> None:
    (limits,), window = workers(redis, 1, clock), key(3)

    for amount in (-1000, 1, -1000):
        assert (await limits.take([window], [amount])).allowed

    assert await admitted(limits, window, 10) == 2


async def test_nothing_to_limit_is_allowed(redis: RedisClient) -> None:
    (limits,) = workers(redis, 1)

    assert (await limits.take([], [])).allowed


async def test_two_tenants_never_share_a_window(redis: RedisClient, clock: Clock) -> None:
    (limits,) = workers(redis, 1, clock)
    ours, theirs = key(10), key(10)
    await admitted(limits, ours, 20)

    assert await admitted(limits, theirs, 20) == 10


async def test_a_minute_and_a_day_of_the_same_thing_are_two_windows(redis: RedisClient, clock: Clock) -> None:
    (limits,), minute = workers(redis, 1, clock), key(2)
    day = key(3, seconds=86400, tenant=minute.tenant_id)

    grants = [await limits.take([minute, day], [1, 1]) for _ in range(3)]

    assert [grant.allowed for grant in grants] == [True, True, False]
    assert grants[2].refused == minute
    assert (await limits.take([day], [1])).remaining == 0


async def test_every_key_lies_under_its_tenant_and_expires(valkey: Valkey) -> None:
    await valkey.answers()
    names = Script("return redis.call('KEYS', '*')", "0" * 40)
    lives = Script("return redis.call('PTTL', KEYS[1])", "1" * 40)
    async with connected(valkey.url) as redis:
        (limits,) = workers(redis, 1)
        for tenant in (7, 42):
            await limits.take([key(5, tenant=tenant), key(9, name="tokens", tenant=tenant)], [1, 1])
        found = await redis.run_script(names, [], [])
        assert isinstance(found, list)
        left = [await redis.run_script(lives, [name], []) for name in found]

    assert {name.split(b":")[1] for name in found} == {b"{7}", b"{42}"}
    assert all(name.startswith((b"tenant:{7}:window:", b"tenant:{42}:window:")) for name in found)
    assert all(isinstance(life, int) and 59_000 < life < 61_000 for life in left)


async def test_without_redis_each_worker_lives_on_its_share(valkey: Valkey) -> None:
    await valkey.answers()
    async with connected(valkey.url) as redis:
        team, window = workers(redis, 4), key(100)
        before = await admitted(team[0], window, 10)
        valkey.kill()
        passed = [await admitted(limits, window, 60) for limits in team[1:]]
        refused = await team[1].take([window], [1])

    assert before == 10
    assert passed == [25, 25, 25]
    assert all(limits.degraded for limits in team[1:])
    assert not refused.allowed
    assert 0 < refused.retry_after_seconds <= 60.5  # the window, and the bucket in which it was used up


async def test_what_passed_without_redis_counts_once_it_is_back(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.limits.link.RETRY_SECONDS", 0.05)
    await valkey.answers()
    async with connected(valkey.url) as redis:
        (limits, other), window = workers(redis, 2), key(100)
        valkey.kill()
        alone = await admitted(limits, window, 60)
        valkey.start()
        await valkey.answers()
        async with asyncio.timeout(PATIENCE):
            while limits.degraded:
                await limits.flush()
                await asyncio.sleep(0.01)
        after = await admitted(other, window, 60)

    assert (alone, after) == (50, 50)


async def test_a_redis_that_hangs_makes_no_second_request_wait(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.limits.link.RETRY_SECONDS", 0.0)
    await valkey.answers()
    async with connected(valkey.url, patience=0.05) as plain:
        redis = CountingRedis(plain._redis, 0.05)
        (limits,) = workers(redis, 1)
        windows = [key(1000) for _ in range(20)]
        valkey.process.send_signal(signal.SIGSTOP)
        await limits.take([windows[0]], [1])
        redis.calls, began = 0, monotonic()
        grants = await asyncio.gather(*(limits.take([window], [1]) for window in windows))
        took = monotonic() - began
        valkey.process.send_signal(signal.SIGCONT)

    assert all(grant.allowed for grant in grants)
    assert limits.degraded
    assert redis.calls == 0  # it is left to `flush` to ask again
    assert took < 1.0


async def test_flushall_and_strange_values_raise_nothing(valkey: Valkey) -> None:
    await valkey.answers()
    spoil = Script("redis.call('FLUSHALL') return redis.call(ARGV[1], KEYS[1], ARGV[2], ARGV[3])", "2" * 40)
    async with connected(valkey.url) as redis:
        (limits,), window = workers(redis, 1), key(1_000_000)
        name = f"tenant:{{{window.tenant_id}}}:window:requests:60"
        for command, field, value in (("HSET", "total", "many"), ("HSET", "last", "9e99"), ("SETEX", "60", "x")):
            for _ in range(80):
                assert (await limits.take([window], [1])).allowed
            await redis.run_script(spoil, [name], [command, field, value])
        assert (await limits.take([window], [1])).allowed


async def test_replies_that_are_no_answer_leave_the_worker_on_its_share(engines: EngineUrls) -> None:
    class Oracle(RedisClient):
        async def run_script(self, script: Script, keys: Sequence[str], args: Sequence[str | int | float]) -> object:
            return [b"yes", None]

    async with connected(engines.redis_url) as plain:
        (limits,) = workers(Oracle(plain._redis, PATIENCE), 1)
        assert await admitted(limits, key(10), 20) == 10

    assert limits.degraded


async def test_the_servers_clock_holds_the_limit_in_real_time(redis: RedisClient) -> None:
    team, window, takes = workers(redis, 3), key(50, seconds=1), []
    began = monotonic()
    for turn in count():
        before = monotonic()
        if before - began > 1.4:
            break
        grants = await asyncio.gather(*(limits.take([window], [1]) for limits in team))
        takes += [(before, monotonic())] * sum(grant.allowed for grant in grants)
        await asyncio.sleep(0.001 * (turn % 3))

    # Each take happened somewhere between the two readings: only what certainly lies within one second counts.
    certain = [sum(first <= a and b < first + 1 for a, b in takes) for first, _ in takes]
    assert 25 < max(certain) <= 50


async def test_a_take_out_of_a_lease_costs_microseconds(redis: RedisClient, clock: Clock) -> None:
    (limits,) = workers(redis, 1, clock)
    window = key(100_000_000)
    while limits._leases.get(window) is None or limits._leases[window]._permits < 45:
        await limits.take([window], [1])

    best = 1.0
    for _ in range(40):
        limits._leases[window]._permits = 1000
        began = perf_counter()
        for _ in range(1000):
            await limits.take([window], [1])
        best = min(best, (perf_counter() - began) / 1000)

    print(f"leased take: {best * 1e6:.2f} us")  # noqa: T201 - the figure is the point
    assert best < 25e-6  # 5 us on an idle core; shared machines are slower
