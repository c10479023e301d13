from __future__ import annotations

import pytest

from proxy.limits.plan import Plans
from storage.limits.limits import SlidingWindows
from storage.tenants.api_keys import ApiKeyStore
from storage.types import Identity
from tests.proxy.control.house import House, refused

POLICY = """
extends: preset/standard
limits:
  requests: [100/min, 5000/day]
  cost: 20 USD/day
  concurrent: 8
  apps: {web: {requests: 10/min}}
  keys: {"*": {tokens: 9000/hour}}
  models: {"gpt-4*": {cost: 2.5 USD/day}}
"""


@pytest.fixture
async def key(house: House) -> int:
    """A key of the app web, under the policy."""
    (house.parts.settings.policies_folder / f"{house.acme.slug}.yaml").write_text(POLICY)
    return (await ApiKeyStore(house.parts.database, house.parts.house_keys.pepper).create(house.acme.slug, "web"))[0]


async def test_every_level_is_listed_with_what_is_used_of_it(house: House, key: int) -> None:
    listed = (await house.do("listLimits", {"tenant": house.acme.slug})).items
    assert [(one.level, one.of, one.counts, one.limit, one.seconds) for one in listed] == [
        ("tenant", "", "requests", 100, 60),
        ("tenant", "", "requests", 5000, 86_400),
        ("tenant", "", "cost", 20.0, 86_400),
        ("tenant", "", "concurrent", 8, 0),
        ("app", "web", "requests", 10, 60),
        ("key", str(key), "tokens", 9000, 3600),
        ("model", "gpt-4*", "cost", 2.5, 86_400),
    ]
    assert {one.used for one in listed} == {0}


async def test_what_requests_take_is_seen(house: House, key: int) -> None:
    await house.do("listLimits", {"tenant": house.acme.slug})
    limits = house.parts.policies.policy_for(house.acme.slug, "web").limits
    plan = Plans().of_models(limits, Identity(house.acme.id, house.acme.slug, 1, "web", key), ["gpt-4o"])
    await SlidingWindows(house.parts.redis, lambda: 1).take(plan.cost, [1_250_000])
    (model,) = [
        one for one in (await house.do("listLimits", {"tenant": house.acme.slug})).items if one.level == "model"
    ]
    assert (model.used, model.limit) == (1.25, 2.5)
    assert 86_000 < model.empty_in < 95_000


async def test_pages_follow_each_other(house: House, key: int) -> None:
    first = await house.do("listLimits", {"tenant": house.acme.slug}, {"limit": "4"})
    rest = await house.do("listLimits", {"tenant": house.acme.slug}, {"limit": "4", "after": first.next})
    assert (len(first.items), len(rest.items), rest.next) == (4, 3, None)


async def test_of_two_budgets_of_a_model_the_lower_is_listed_once(house: House, key: int) -> None:
    ceilings = 'ceilings: {limits: {models: {"gpt-4*": {cost: 9 USD/day}, "o3*": {requests: 5/min}}}}\n'
    (house.parts.settings.policies_folder / "platform.yaml").write_text(ceilings)
    listed = (await house.do("listLimits", {"tenant": house.acme.slug})).items
    models = [(one.of, one.counts, one.limit) for one in listed if one.level == "model"]
    assert sorted(models) == [("gpt-4*", "cost", 2.5), ("o3*", "requests", 5)]


async def test_where_nothing_is_limited_nothing_is_listed(house: House, key: int) -> None:
    (house.parts.settings.policies_folder / f"{house.acme.slug}.yaml").write_text("extends: preset/strict\n")
    assert (await house.do("listLimits", {"tenant": house.acme.slug})).items == []


async def test_another_tenants_limits_are_not_to_be_had(house: House) -> None:
    with refused(404):
        await house.do("listLimits", {"tenant": house.globex.slug})
