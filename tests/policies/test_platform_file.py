"""platform.yaml: what no policy of a tenant may exceed, and what none may change."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.errors import PolicyError
from policies.layers import Library
from policies.loader import load_policy
from policies.types import Policy, Rate

CEILINGS = """ceilings:
  limits:
    requests: 600/min
    concurrent: 10
    cost: 50 USD/day
    body: 1 MiB
  models: ["openai/*"]
locked:
  keys: [failure_mode, audit.level, mode, exclusions]
  rules: [credentials]
"""
STANDARD = "extends: preset/standard\n"


def load(folder: Path, text: str, platform: str = CEILINGS) -> Policy:
    (folder / "platform.yaml").write_text(platform)
    (folder / "acme.yaml").write_text(text)
    return load_policy(folder / "acme.yaml", "acme", (), Library(folder)).policy


def test_what_a_policy_leaves_open_is_the_ceiling(tmp_path: Path) -> None:
    policy = load(tmp_path, STANDARD)
    assert (policy.limits.tenant.requests, policy.limits.tenant.concurrent) == ((Rate(600, 60),), 10)
    assert (policy.limits.body, policy.models) == (1 << 20, ("openai/*",))


def test_what_the_platform_says_is_part_of_the_revision(tmp_path: Path) -> None:
    before = load(tmp_path, STANDARD).revision
    assert load(tmp_path, STANDARD).revision == before
    assert load(tmp_path, STANDARD, CEILINGS.replace("600", "500")).revision != before


REFUSED = {
    "limits: {requests: 5000/min}": "limits.requests 5000/min exceeds platform ceiling 600/min (platform.yaml:3)",
    "limits: {requests: 36000/hour}": "limits.requests 36000/hour exceeds platform ceiling 600/min (platform.yaml:3)",
    "limits: {concurrent: 11}": "limits.concurrent 11 exceeds platform ceiling 10 (platform.yaml:4)",
    "limits: {cost: 51 USD/day}": "limits.cost 51 USD/day exceeds platform ceiling 50 USD/day (platform.yaml:5)",
    "models: {allow: ['*']}": "models.allow * exceeds platform ceiling (platform.yaml:7)",
    "models: {allow: [openai/gpt, 'o*']}": "models.allow o* exceeds platform ceiling (platform.yaml:7)",
    "failure_mode: open": "failure_mode is locked by the platform (platform.yaml:9)",
    "audit: {level: best_effort}": "audit.level is locked by the platform (platform.yaml:9)",
    "disable: [credentials]": "rule 'credentials' is locked by the platform (platform.yaml:10)",
    "rules: [{id: credentials, when: {category: credential}, action: flag}]": (
        "rule 'credentials' is locked by the platform (platform.yaml:10)"
    ),
    "exclusions: [{rule: X, origin: user, until: 2030-01-01, owner: abc, reason: abc}]": (
        "exclusions is locked by the platform (platform.yaml:9)"
    ),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_exceeds_a_ceiling_or_changes_what_is_locked_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(PolicyError) as refused:
        load(tmp_path, STANDARD + text + "\n")
    assert str(refused.value) == f"{tmp_path}/acme.yaml:2: {REFUSED[text]}"


@pytest.mark.parametrize("text", ["extends: preset/monitor\n", "rules: [{id: a, when: {}, action: flag}]\n"])
def test_no_choice_of_parents_gets_around_a_lock(tmp_path: Path, text: str) -> None:
    with pytest.raises(PolicyError, match="is locked by the platform"):
        load(tmp_path, text)


SECTIONS = [
    ("leakage", "leakage: {words: 12}", "leakage: {words: 12}\nrules: [{id: x, when: {tag: x}, action: mask}]"),
    ("leakage", "leakage: {words: 12}", f"{STANDARD}leakage: {{words: 12, hosts: [evil.example]}}"),
    ("unscanned", "unscanned: {media: block}", "extends: acme.yaml\nunscanned: {media: block}"),
    ("limits", "limits: {text: 1 KiB}", "extends: acme.yaml\nlimits: {text: 1 KiB}"),
    ("levels", "levels: {user: 3}", "extends: acme.yaml\nlevels: {user: 3}"),
]


@pytest.mark.parametrize(("key", "own", "text"), SECTIONS)
def test_a_locked_section_is_locked_in_all_its_keys(tmp_path: Path, key: str, own: str, text: str) -> None:
    platform = f"locked: {{keys: [{key}]}}\npolicy: {{extends: preset/standard, {own}}}\n"
    # A file that does not load by itself is still something to build on.
    milder = "unscanned: {oversize: allow}\nlimits: {apps: {x: {requests: 9/s}}}\nlevels: {tool: 1}\n"
    load(tmp_path, f"{STANDARD}{own}\n", platform)
    (tmp_path / "acme.yaml").write_text(STANDARD + milder)
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "shop.yaml").write_text(f"{text}\n")
    with pytest.raises(PolicyError, match=rf"{key} is locked by the platform"):
        load_policy(tmp_path / "acme" / "shop.yaml", "acme/shop", (), Library(tmp_path))


@pytest.mark.parametrize(
    ("model", "taken"),
    [("[haiku]*", False), ("x[*haiku*]", False), ("*/claude-haiku-[45]", True), ("claude-haiku-?", True)],
)
def test_no_class_of_characters_gets_around_the_ceiling_of_models(tmp_path: Path, model: str, taken: bool) -> None:
    own, platform = f'{STANDARD}models: {{allow: ["{model}"]}}\n', 'ceilings: {models: ["*haiku*"]}\n'
    if taken:
        assert load(tmp_path, own, platform).models == (model,)
        return
    with pytest.raises(PolicyError, match="exceeds platform ceiling"):
        load(tmp_path, own, platform)


@pytest.mark.parametrize(
    ("key", "own", "text"),
    [
        ("risk", "risk: {block_at: 4, half_life: 1h}", "risk: {half_life: 1h}"),
        ("judges.panel", "judges: {sample: 1%, panel: [ours]}", "judges: {panel: default}"),
        ("routes", "routes: [{path: /v1/rerank}]", "routes: []"),
    ],
)
def test_what_takes_the_place_of_all_that_is_locked_is_refused(tmp_path: Path, key: str, own: str, text: str) -> None:
    (tmp_path / "_common").mkdir()
    (tmp_path / "_common" / "base.yaml").write_text(f"{STANDARD}{own}\n")
    platform = f"locked: {{keys: [{key}]}}\npolicy: {{extends: _common/base.yaml}}\n"
    load(tmp_path, "extends: _common/base.yaml\n", platform)
    with pytest.raises(PolicyError, match=rf"acme.yaml:2: {key} is locked by the platform"):
        load(tmp_path, f"extends: _common/base.yaml\n{text}\n", platform)


@pytest.mark.parametrize("own", ["10/s", "600/min", "1/hour", "300/min"])
def test_what_stays_below_is_taken(tmp_path: Path, own: str) -> None:
    assert load(
        tmp_path, f"{STANDARD}limits: {{requests: {own}}}\nmodels: {{allow: [openai/gpt-*]}}\n"
    ).limits.tenant.requests


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("locked: {rules: [credential]}", "no rule 'credential' to lock (did you mean 'credentials'?)"),
        ("locked: {keys: [failuremode]}", "no key 'failuremode' to lock (did you mean 'failure_mode'?)"),
        ("lockd: {}", "unknown key 'lockd' (did you mean 'locked'?)"),
    ],
)
def test_a_mistake_in_the_platforms_file_is_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(PolicyError) as refused:
        load(tmp_path, STANDARD, f"{text}\n")
    assert str(refused.value).endswith(f"platform.yaml:1: {problem}") or problem in str(refused.value)


UNITS = {"s": 1, "min": 60, "hour": 3600, "day": 86400}


@given(limit=st.integers(1, 40_000), unit=st.sampled_from(sorted(UNITS)), top=st.integers(1, 2_000))
def test_no_rate_that_is_taken_lets_more_through_in_a_minute_than_the_ceiling(limit: int, unit: str, top: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        text = f"{STANDARD}limits: {{requests: {limit}/{unit}}}\n"
        try:
            policy = load(Path(name), text, f"ceilings: {{limits: {{requests: {top}/min}}}}\n")
        except PolicyError:
            return
    (rate,) = policy.limits.tenant.requests
    windows = max(1, -(-60 // rate.seconds))  # that begin within one minute
    assert rate.limit * windows <= top
