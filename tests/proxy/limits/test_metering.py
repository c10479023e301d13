"""One exchange's limits over a real Redis: detours, and requests that come to nothing and are sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from secrets import randbits
from types import SimpleNamespace
from typing import Any

import pytest

from policies.loader import load_policy_text
from policies.types import Policy
from proxy.codec import Usage
from proxy.limits.accounting import account, note_attempt, take_over
from proxy.limits.estimating import Estimate
from proxy.limits.metering import Meter, Metering
from proxy.limits.plan import Plans
from proxy.limits.prices import Prices, PriceSettings
from storage.embedded import EngineUrls
from storage.limits.attempts import Attempts
from storage.limits.concurrency import Concurrency
from storage.limits.limits import SlidingWindows
from storage.limits.link import Link
from storage.limits.warned import Warned
from storage.redis_client import RedisClient
from storage.types import Identity, Outcome
from tests.storage.limits.test_limits import connected

pytestmark = pytest.mark.slow
MODELS = "limits: {models: {'gpt-*': {requests: 1000/min, tokens: 100k/min, concurrent: 10}}}"
FEW = "limits: {requests: 30/min, tokens: 30k/min}"


@pytest.fixture
async def redis(engines: EngineUrls) -> AsyncIterator[RedisClient]:
    async with connected(engines.redis_url) as client:
        yield client


@pytest.fixture
def windows(redis: RedisClient) -> SlidingWindows:
    return SlidingWindows(redis, lambda: 1)


@pytest.fixture
def metering(redis: RedisClient, windows: SlidingWindows) -> Metering:
    link = Link(redis)
    places = Concurrency(redis, link, "w", lambda: 1)
    unused: Any = None
    return Metering(
        windows, places, unused, Attempts(redis, link), unused, unused, Prices(PriceSettings()), Plans(), unused
    )


@pytest.fixture
def identity() -> Identity:
    return Identity(randbits(48), "acme", 1, "bot", 7, 0.0)


def policy(limits: str) -> Policy:
    return load_policy_text(f"extends: preset/standard\n{limits}\n", Path("acme.yaml"), "acme").policy


def used(windows: SlidingWindows) -> dict[str, int]:
    """Return what the worker itself counts as taken."""
    now = windows._clock()
    return {key.name: lease._own.total(now) - lease._permits for key, lease in windows._leases.items()}


async def test_each_limit_that_is_nearly_used_is_noted_by_a_decision_of_its_own(
    metering: Metering, redis: RedisClient, identity: Identity
) -> None:
    hook = "webhooks: [{url: 'https://hooks.example/x', on: [limit]}]"
    two = policy(f"limits: {{requests: 5/hour, keys: {{'*': {{requests: 5/hour}}}}}}\n{hook}")
    metering, noted = replace(metering, warned=Warned(redis, Link(redis))), []
    for _ in range(5):
        meter = Meter(metering, two, identity, {})
        await meter.enter()
        limit: Any = meter.notes.get("limit")
        noted += [limit["level"]] if limit else []
    assert sorted(noted) == ["key", "tenant"]


async def test_places_that_run_out_are_noted_too(metering: Metering, redis: RedisClient, identity: Identity) -> None:
    few = policy("limits: {concurrent: 5}\nwebhooks: [{url: 'https://hooks.example/x', on: [limit]}]")
    metering, meters = replace(metering, warned=Warned(redis, Link(redis))), []
    for _ in range(5):
        meters.append(Meter(metering, few, identity, {}))
        await meters[-1].enter()
    noted: list[Any] = [meter.notes["limit"] for meter in meters if "limit" in meter.notes]
    assert [(one["kind"], one["limit"]) for one in noted] == [("concurrent", 5)]


async def test_what_a_request_cost_is_told_once_however_often_it_was_sent(
    metering: Metering, identity: Identity
) -> None:
    parts: Any = SimpleNamespace(metering=metering)
    spent, exchange = [], _exchange(identity, Meter(metering, policy(FEW), identity, {}))
    for attempt in range(2):
        meter = Meter(metering, policy(FEW), identity, {})
        exchange = _exchange(identity, meter)
        await meter.enter()
        if attempt:
            await take_over(parts, exchange, meter)
            exchange.outcome, exchange.usage = Outcome.ANSWERED, Usage(500, 1000)
        await meter.spend(Estimate(500, 1000), ("gpt-4o",))
        account(parts, exchange)
        await note_attempt(parts, exchange)
        spent.append(exchange.spent["micros"] if exchange.spent else 0)
    whole = metering.prices.of("gpt-4o").cost(500, 1000)
    assert sum(spent) == whole
    assert (exchange.usage.prompt_tokens, exchange.usage.completion_tokens) == (500, 1000)


async def test_who_hangs_up_while_a_limit_is_noted_as_nearly_used_gets_back_what_it_did_not_use(
    metering: Metering, windows: SlidingWindows, identity: Identity
) -> None:
    class Slow:
        async def claim(self, *_: object) -> bool:
            raise asyncio.CancelledError

    hook = "webhooks: [{url: 'https://hooks.example/x', on: [limit]}]"
    slow: Any = Slow()
    meter = Meter(replace(metering, warned=slow), policy(f"limits: {{tokens: 1000/hour}}\n{hook}"), identity, {})
    await meter.enter()
    with pytest.raises(asyncio.CancelledError):
        await meter.spend(Estimate(100, 800), ("gpt-4o",))
    meter.settle(0, 0)
    await windows.restore()
    assert used(windows) == {"tokens": 0}


async def test_a_detour_to_a_model_of_the_same_limit_is_counted_once(
    metering: Metering, windows: SlidingWindows, identity: Identity
) -> None:
    meter = Meter(metering, policy(MODELS), identity, {})
    await meter.enter()
    await meter.spend(Estimate(100, 100), ("gpt-4o",))
    await meter.follow(("gpt-4o-mini",))
    places = [place.used for place in metering.concurrency._rows.values()]
    meter.settle(150, 0)
    await windows.restore()  # hands in what is settled

    assert used(windows) == {"requests:model:gpt-*": 1, "tokens:model:gpt-*": 150}
    assert places == [1]


@pytest.mark.parametrize(("fails", "counted"), [(3, 1), (4, 2), (12, 4)])
async def test_of_requests_that_come_to_nothing_two_more_are_free(
    metering: Metering, windows: SlidingWindows, identity: Identity, fails: int, counted: int
) -> None:
    """As often as SDKs try again by themselves: whoever hangs up each time is counted."""
    parts: Any = SimpleNamespace(metering=metering)
    for attempt in range(fails):
        meter = Meter(metering, policy(FEW), identity, {})
        exchange: Any = _exchange(identity, meter)
        await meter.enter()
        if attempt:
            await take_over(parts, exchange, meter)
        await meter.spend(Estimate(500, 1000), ("gpt-4o",))
        account(parts, exchange)
        await note_attempt(parts, exchange)
    await windows.restore()

    assert used(windows)["requests"] == counted


async def test_two_apps_of_an_issuers_tokens_take_nothing_over_from_each_other(
    metering: Metering, identity: Identity
) -> None:
    parts: Any = SimpleNamespace(metering=metering)
    for app in (1, 2):
        whose = replace(identity, key_id=0, app_id=app)
        meter = Meter(metering, policy(FEW), whose, {})
        exchange = _exchange(whose, meter)
        await meter.enter()
        await take_over(parts, exchange, meter)
        assert meter.attempts == 1
        await meter.spend(Estimate(500, 1000), ("gpt-4o",))
        account(parts, exchange)
        await note_attempt(parts, exchange)


def _exchange(identity: Identity, meter: Meter) -> Any:
    """Return an exchange that its client left before any text came."""
    usage = SimpleNamespace(prompt_tokens=500, completion_tokens=0)
    return SimpleNamespace(
        identity=identity, meter=meter, policy=SimpleNamespace(reads_cost=False), raw=b"{}", route="/",
        content_key=b"k" * 32, outcome=Outcome.CLIENT_CLOSED, provider_saw_prompt=True, usage=usage, model="gpt-4o",
    )  # fmt: skip
