"""Circumstances: each holds for what it names only, the clock knows zones and midnight, and unknown is not inside."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from detectors.chain import Inspection
from detectors.types import Category, Coverage
from policies.engine import Actions, decide
from policies.facts import Facts
from tests.policies.conftest import MakeFinding, MakePolicy


def at(day: int, clock: str) -> float:
    """A time of January 2027 in UTC; the 4th is a Monday."""
    return datetime.fromisoformat(f"2027-01-{day:02d}T{clock}:00").replace(tzinfo=UTC).timestamp()


HERE = Facts(
    at=at(4, "12:00"),
    tenant="acme",
    app="shop",
    key_id=7,
    dialect="openai_chat",
    route="POST /v1/chat/completions",
    model="gpt-4o",
    upstream="openai",
    network="10.1.2.3",
    roles=("staff", "intern"),
    language="de",
    cost=5.0,
)
CIRCUMSTANCES: dict[str, dict[str, Any]] = {
    "model: 'gpt-4*'": {"model": "claude"},
    "model: [claude*, gpt-4o]": {"model": "gpt-5"},
    "upstream: openai": {"upstream": "azure"},
    "dialect: openai": {"dialect": "gemini_generate"},
    "route: 'POST /v1/chat/*'": {"route": "POST /v1/embeddings"},
    "key: 7": {"key_id": None},
    "app: [shop, 'test-*']": {"app": "bot"},
    "role: intern": {"roles": ("staff",)},
    "language: [de, fr]": {"language": ""},
    "network: 10.0.0.0/8": {"network": "192.0.2.1"},
    "network: [10.0.0.0/8, '2001:db8::/32']": {"network": "not an address"},
    "network: '::ffff:10.0.0.0/104'": {"network": "192.0.2.1"},
    "network: '::ffff:0:0/96'": {"network": "2001:db8::1"},
    "not_network: 192.0.2.0/24": {"network": "::ffff:192.0.2.9"},
    'time: {from: "08:00", to: "18:00"}': {"at": at(4, "18:00")},
    'time: {from: "12:30", to: "13:30", zone: Europe/Berlin}': {"at": at(4, "11:00")},
    'time: {from: "22:00", to: "12:01", days: [sun]}': {"at": at(5, "12:00")},
    "min_cost: 5": {"cost": 4.9},
}


@pytest.mark.parametrize("condition", CIRCUMSTANCES)
def test_a_circumstance_holds_for_what_it_names_only(
    make_policy: MakePolicy, make_finding: MakeFinding, actions: Actions, condition: str
) -> None:
    policy = make_policy(f"rules: [{{id: x, when: {{{condition}}}, action: block}}]")
    inspection = Inspection((make_finding(),), (), Coverage(scanned=1))
    elsewhere = replace(HERE, **CIRCUMSTANCES[condition])
    assert decide(policy, inspection, HERE, "r", actions).effect.stop
    assert not decide(policy, inspection, elsewhere, "r", actions).effect.stop


def test_an_unknown_network_is_outside_of_every_network(
    make_policy: MakePolicy, make_finding: MakeFinding, actions: Actions
) -> None:
    policy = make_policy("rules: [{id: x, when: {not_network: 10.0.0.0/8}, action: block}]")
    inspection = Inspection((make_finding(),), (), Coverage(scanned=1))
    assert decide(policy, inspection, replace(HERE, network=""), "r", actions).effect.stop


def test_a_score_is_what_different_rules_found_in_sum(
    make_policy: MakePolicy, make_finding: MakeFinding, actions: Actions
) -> None:
    policy = make_policy("rules: [{id: sum, when: {min_score: 1.2}, action: block}]")
    weak = [make_finding(category=Category.JAILBREAK, confidence=0.4, rule=f"PS-JAIL-00{n}") for n in (1, 2, 3)]
    repeated = Inspection((weak[0],) * 9 + (weak[1],), (), Coverage(scanned=1))
    different = Inspection(tuple(weak), (), Coverage(scanned=1))
    assert not decide(policy, repeated, HERE, "r", actions).effect.stop
    assert decide(policy, different, HERE, "r", actions).effect.stop


def test_a_level_bounds_how_eager_a_signature_may_be(
    make_policy: MakePolicy, make_finding: MakeFinding, actions: Actions
) -> None:
    policy = make_policy("rules: [{id: x, when: {max_level: 2}, action: block}]")
    calm = make_finding()
    eager = replace(calm, hit=replace(calm.hit, level=3))
    assert decide(policy, Inspection((calm,), (), Coverage()), HERE, "r", actions).effect.stop
    assert not decide(policy, Inspection((eager,), (), Coverage()), HERE, "r", actions).effect.stop


def test_a_condition_decides_together_with_the_rest(
    make_policy: MakePolicy, make_finding: MakeFinding, actions: Actions
) -> None:
    policy = make_policy(
        """rules: [{id: x, when: {category: pii}, if: 'kind == "EMAIL" && key == 7', action: block}]"""
    )
    email, phone = make_finding(), make_finding(kind="PHONE")
    assert decide(policy, Inspection((phone, email), (), Coverage()), HERE, "r", actions).effect.stop
    assert not decide(policy, Inspection((phone,), (), Coverage()), HERE, "r", actions).effect.stop
    assert not decide(policy, Inspection((email,), (), Coverage()), replace(HERE, key_id=8), "r", actions).effect.stop


def test_labels_of_all_rules_that_apply_are_given_and_the_first_route(
    make_policy: MakePolicy, make_finding: MakeFinding, actions: Actions
) -> None:
    policy = make_policy("""
        rules:
          - {id: a, when: {category: pii}, action: flag, labels: [personal]}
          - {id: b, when: {kind: EMAIL}, action: mask, labels: [mail, personal], route: {model: local}}
          - {id: c, when: {kind: EMAIL}, action: flag, route: {upstream: other}}
        """)
    effect = decide(policy, Inspection((make_finding(),), (), Coverage()), HERE, "r", actions).effect
    assert (effect.labels, len(effect.edits)) == (("mail", "personal"), 1)
    assert effect.route is not None
    assert (effect.route.model, effect.route.upstream) == ("local", "")
    nothing = decide(policy, Inspection((make_finding(category=Category.JAILBREAK, kind="X"),)), HERE, "r", actions)
    assert (nothing.effect.labels, nothing.effect.route) == ((), None)
