"""What must hold whatever a policy says: more findings are never lighter, and no error becomes an allow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.chain import Inspection
from detectors.types import Category, Coverage, DetectorRun, Origin, RunStatus, Stage
from policies.engine import Actions, decide
from policies.facts import Facts
from policies.loader import load_policy_text
from policies.types import ActionName, Policy, Verdict
from tests.policies.conftest import MakeFinding

CATEGORIES = [Category.PII, Category.JAILBREAK, Category.CREDENTIAL]
CONDITIONS = [
    "confidence > 0.4",
    'origin == "user" && score > 0.9',
    '"x" in tags || 10 / (weekday + 1) > 0',
    'model == "m"',
]
WHEN = st.fixed_dictionaries(
    {},
    optional={
        "category": st.sampled_from(CATEGORIES).map(str),
        "origin": st.sampled_from(["user", "tool"]),
        "min_confidence": st.sampled_from([0.3, 0.7]),
        "min_score": st.sampled_from([0.5, 1.1]),
        "model": st.sampled_from(["m", "other*"]),
        "kind": st.sampled_from(["EMAIL", "PHONE"]),
        "time": st.just({"from": "22:00", "to": "06:00"}),
    },
)
RULES = st.lists(
    st.fixed_dictionaries(
        {"when": WHEN, "action": st.sampled_from(["flag", "mask", "pseudonymise", "block"])},
        optional={"if": st.sampled_from(CONDITIONS), "labels": st.just(["one"])},
    ),
    min_size=1,
    max_size=5,
)
EXCLUSION = {"rule": "PS-1", "origin": "tool", "until": "2099-01-01", "owner": "abc", "reason": "abc"}
POLICIES = st.fixed_dictionaries(
    {"rules": RULES},
    optional={
        "exclusions": st.just([EXCLUSION]),
        "unscanned": st.fixed_dictionaries({"media": st.sampled_from(["block", "flag", "allow"])}),
        "disclose": st.sampled_from(["id", "full"]),
        "refusals": st.just({"en": "no, not that"}),
    },
)
FOUND = st.lists(
    st.fixed_dictionaries(
        {
            "span": st.sampled_from([None, (0, 4), (2, 9)]),
            "category": st.sampled_from(CATEGORIES),
            "confidence": st.sampled_from([0.2, 0.6, 1.0]),
            "rule": st.sampled_from(["PS-1", "PS-2"]),
            "kind": st.sampled_from(["EMAIL", "PHONE"]),
            "origin": st.sampled_from([Origin.USER, Origin.TOOL]),
        }
    ),
    max_size=5,
)
FAILED = DetectorRun("patterns", Stage.PATTERN, True, RunStatus.ERROR, 0, 0.0, 0.001)


def policy_of(document: dict[str, Any]) -> Policy:
    rules = [{"id": f"r{number}", **rule} for number, rule in enumerate(document["rules"])]
    text = orjson.dumps({**document, "rules": rules}).decode()  # JSON is YAML too
    return load_policy_text(text, Path("acme.yaml"), "acme").policy


def verdict_of(policy: Policy, findings: tuple[Any, ...], actions: Actions, *runs: DetectorRun) -> Verdict:
    inspection = Inspection(findings, runs, Coverage(scanned=1))
    return decide(policy, inspection, Facts(at=1_800_000_000.0, model="m"), "r", actions)


@settings(max_examples=30)
@given(document=POLICIES, found=FOUND, more=FOUND)
def test_more_findings_never_lighten_a_verdict_whatever_the_policy_says(
    document: dict[str, Any],
    found: list[dict[str, Any]],
    more: list[dict[str, Any]],
    make_finding: MakeFinding,
    actions: Actions,
) -> None:
    policy = policy_of(document)
    findings = tuple(make_finding(**fields) for fields in (*found, *more))
    fewer = verdict_of(policy, findings[: len(found)], actions)
    together = verdict_of(policy, findings, actions)
    assert together.effect.stop >= fewer.effect.stop
    assert together.action.weight >= fewer.action.weight
    assert set(together.effect.labels) >= set(fewer.effect.labels) - set(CATEGORIES)


@settings(max_examples=30)
@given(document=POLICIES, found=FOUND, mode=st.sampled_from(["closed", "open", None]))
def test_no_policy_text_turns_an_error_into_an_allow(
    document: dict[str, Any],
    found: list[dict[str, Any]],
    mode: str | None,
    make_finding: MakeFinding,
    actions: Actions,
) -> None:
    policy = policy_of({**document, **({"failure_mode": mode} if mode else {})})
    verdict = verdict_of(policy, tuple(make_finding(**fields) for fields in found), actions, FAILED)
    assert verdict.degraded == ("patterns",)
    assert verdict.action is not ActionName.ALLOW
    assert verdict.effect.stop or mode == "open"
