"""Which windows the requests of a key pass."""

from __future__ import annotations

from pathlib import Path

from policies.amounts import PolicyLimits
from policies.loader import load_policy_text
from proxy.limits.plan import LARGEST_TABLE, LONGEST_NAME, NOTHING, Plans
from storage.types import Identity, LimitKey

BOT = Identity(7, "acme", 3, "bot", 17)


def limits(text: str) -> PolicyLimits:
    return load_policy_text(f"extends: preset/standard\nlimits: {text}\n", Path("acme.yaml"), "acme").policy.limits


def test_each_level_has_windows_of_its_own_the_widest_first() -> None:
    read = limits(
        "{requests: [9/s, 100/min], concurrent: 8, apps: {'*': {requests: 5/s, tokens: 10/min}},"
        " keys: {'17': {requests: 4/s, cost: 2 USD/day}, '*': {requests: 1/s}}}"
    )
    plan = Plans().of(read, BOT)
    assert plan.requests == (
        LimitKey(7, "requests", 9, 1),
        LimitKey(7, "requests", 100, 60),
        LimitKey(7, "requests:app:3", 5, 1),
        LimitKey(7, "requests:key:17", 4, 1),
    )
    assert plan.tokens == (LimitKey(7, "tokens:app:3", 10, 60),)
    assert plan.cost == (LimitKey(7, "cost:key:17", 2_000_000, 86_400),)
    assert plan.concurrent == (LimitKey(7, "concurrent", 8, 0),)


def test_every_pattern_that_fits_a_model_counts_and_one_window_has_one_limit() -> None:
    read = limits("{models: {'openai/*': {requests: 5/s}, 'openai/gpt': {requests: 2/s}, '*': {requests: 9/s}}}")
    plans = Plans()
    plan = plans.of_models(read, BOT, ("openai/gpt", "other"))
    assert [key.name for key in plan.requests] == [
        "requests:model:openai/gpt", "requests:model:openai/*", "requests:model:*"
    ]  # fmt: skip
    assert plans.of_models(read, BOT, ()) is NOTHING
    assert [key.name for key in plans.of_models(read, BOT, ("x",)).requests] == ["requests:model:*"]
    assert plans.of_models(limits("{requests: 1/s}"), BOT, ("x",)) is NOTHING


def test_of_the_policys_and_the_platforms_window_the_lower_limit_holds() -> None:
    own, top = limits("{keys: {'*': {requests: 9/s}}}"), limits("{keys: {'*': {requests: 3/s}}}")
    both = PolicyLimits(own.tenant, own.text, own.body, keys=own.keys + top.keys)
    assert Plans().of(both, BOT).requests == (LimitKey(7, "requests:key:17", 3, 1),)


def test_tokens_of_an_issuer_share_no_plan_though_they_have_no_key() -> None:
    read, plans = (
        limits("{requests: 9/s, apps: {big: {requests: 5/s}, small: {requests: 1/s}}, models: {'*': {requests: 2/s}}}"),
        Plans(),
    )
    who = [
        Identity(1, "acme", 11, "big", 0),
        Identity(2, "globex", 22, "small", 0),
        Identity(1, "acme", 12, "small", 0),
    ]
    found = [plans.of(read, identity).requests[-1] for identity in who]

    assert [(key.tenant_id, key.name, key.limit) for key in found] == [
        (1, "requests:app:11", 5), (2, "requests:app:22", 1), (1, "requests:app:12", 1)
    ]  # fmt: skip
    assert [plans.of_models(read, identity, ("m",)).requests[0].tenant_id for identity in who] == [1, 2, 1]


def test_plans_are_kept_by_policy_and_key_and_no_client_fills_the_table() -> None:
    read, plans = limits("{requests: 1/s, models: {'*': {requests: 1/s}}}"), Plans()
    assert plans.of(read, BOT) is plans.of(read, BOT)
    assert plans.of(limits("{requests: 2/s}"), BOT).requests[0].limit == 2
    plans.of_models(read, BOT, ("x" * (LONGEST_NAME + 1),))
    assert all(len(model) <= LONGEST_NAME for *_, model in plans._made)
    for number in range(LARGEST_TABLE + 5):
        plans.of_models(read, BOT, (f"m{number}",))
    assert len(plans._made) <= LARGEST_TABLE
