"""What a policy names elsewhere has to be there: typing errors would silently do nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from detectors.documents import nearest
from detectors.errors import ConfigurationError, raise_all
from detectors.packs import PREFIX
from policies.layers import Layer
from policies.output import RULE_IDS
from policies.types import Policy, Rule, allows


def check_references(layer: Layer, known_rules: frozenset[str]) -> None:
    """Duplicate ids and routes, unknown signature ids: all are typing errors that would silently do nothing."""
    rules, routes = layer.content.rules, layer.content.routes or ()
    complain, found = layer.document.complain, list[ConfigurationError]()
    for index, route in enumerate(routes):
        if (route.path, route.dialect) in {(earlier.path, earlier.dialect) for earlier in routes[:index]}:
            found.append(complain(("routes", index, "path"), f"route '{route.path}' is opened twice"))
    for name, count in Counter(rule.id for rule in rules).items():
        if count > 1:
            index = max(i for i, rule in enumerate(rules) if rule.id == name)
            found.append(complain(("rules", index, "id"), f"rule '{name}' is defined twice"))
    named: list[tuple[tuple[str | int, ...], str]] = [
        (("rules", i, "when", "rule"), name) for i, rule in enumerate(rules) for name in rule.when.rule
    ]
    named += [(("exclusions", i, "rule"), item.rule) for i, item in enumerate(layer.content.exclusions)]
    # An operator's signatures come and go apart from policies: only who knows some can say that one is missing.
    asked = any(name.startswith(PREFIX) for name in known_rules)
    for loc, name in named:
        if name.startswith(PREFIX) and not asked:
            continue
        if known_rules and name not in known_rules and name not in RULE_IDS:
            problem = f"unknown detection rule '{name}'{nearest(name, sorted(known_rules))}"
            found.append(complain(loc, problem))
    raise_all(found)


def signatures_named(policy: Policy) -> frozenset[str]:
    """Return the ids of operators' signatures that a policy's rules and exclusions name."""
    named = {name for rule in policy.rules for name in rule.match.rule}
    named |= {exclusion.rule for exclusion in policy.exclusions}
    return frozenset(name for name in named if name.startswith(PREFIX))


def check_risk(own: Layer, policy: Policy) -> None:
    """A step of `risk` that asks judges wants a policy that has some."""
    if policy.risk is not None and policy.risk.judge_at is not None and policy.judges is None:
        problem = "risk.judge_at asks judges, and this policy has none: say when they are asked (judges)"
        raise own.document.complain(("risk", "judge_at"), problem)


def check_routed(own: Layer, rules: Sequence[Rule], models: tuple[str, ...]) -> None:
    """A model that requests are sent to must be allowed, like one that a client names."""
    for rule in rules:
        if rule.route is not None and rule.route.model and not allows(models, rule.route.model):
            problem = f"rule '{rule.id}' routes to {rule.route.model}, which `models` does not allow"
            index = next((i for i, document in enumerate(own.content.rules) if document.id == rule.id), None)
            raise own.document.complain(("extends",) if index is None else ("rules", index, "route", "model"), problem)
