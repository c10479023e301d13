"""The key `limits`: how amounts are read, merged over layers, and joined by the platform's ceilings."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from detectors.errors import PolicyError
from policies.amounts import Budget, LevelLimits, PolicyLimits, Rate
from policies.layers import Library
from policies.loader import load_policy, load_policy_text
from policies.schema import policy_schema

STANDARD = "extends: preset/standard\n"


def limits(text: str) -> PolicyLimits:
    return load_policy_text(STANDARD + text, Path("acme.yaml"), "acme").policy.limits


def test_one_amount_or_several_of_which_all_hold() -> None:
    read = limits("limits: {requests: 600/min, tokens: [100k/min, 2M/day], cost: [50 USD/day, 900 USD/month]}\n").tenant
    assert read.requests == (Rate(600, 60),)
    assert read.tokens == (Rate(100_000, 60), Rate(2_000_000, 86_400))
    assert read.cost == (Budget(50.0, 86_400), Budget(900.0, 2_592_000))


def test_levels_are_sorted_from_the_special_to_the_general() -> None:
    read = limits("limits: {apps: {'*': {requests: 1/s}, bot: {requests: 9/s}, 'bot-*': {tokens: 5/s}, idle: {}}}\n")
    assert read.apps == (
        (
            ("bot", LevelLimits(requests=(Rate(9, 1),))),
            ("bot-*", LevelLimits(tokens=(Rate(5, 1),))),
            ("*", LevelLimits(requests=(Rate(1, 1),))),
        ),
    )
    assert read.metered
    assert not limits("").metered


@pytest.mark.parametrize(
    "text",
    [
        "limits: {tokens: []}", "limits: {tokens: [5/s, 9/s]}", "limits: {tokens: [1/s, 1/min, 1/h, 1/day, 1/week]}",
        "limits: {cost: 5/day}", "limits: {keys: {bot: {requests: 1/s}}}", "limits: {apps: {'a?': {requests: 1/s}}}",
        "limits: {models: {a: {text: 1 KiB}}}", "limits: {apps: {a: {requests: 0/s}}}", "limits: {concurrent: 0}",
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(PolicyError) as refused:
        limits(text)
    assert ":2: " in str(refused.value)


def test_a_child_wins_key_by_key_and_pattern_by_pattern(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(
        f"{STANDARD}limits: {{requests: 5/s, concurrent: 7, models: {{a: {{requests: 1/s}}, b: {{requests: 2/s}}}}}}\n"
    )
    (tmp_path / "acme").mkdir()
    child = tmp_path / "acme" / "bot.yaml"
    child.write_text("extends: acme.yaml\nlimits: {requests: 4/s, models: {b: {requests: 3/s}}}\n")
    read = load_policy(child, "acme/bot", (), Library(tmp_path)).policy.limits
    assert (read.tenant.requests, read.tenant.concurrent) == ((Rate(4, 1),), 7)
    assert dict(read.models[0]) == {
        "a": LevelLimits(requests=(Rate(1, 1),)), "b": LevelLimits(requests=(Rate(3, 1),))
    }  # fmt: skip


def bounded(folder: Path, own: str, ceilings: str) -> PolicyLimits:
    (folder / "platform.yaml").write_text(f"ceilings: {{limits: {ceilings}}}\n")
    (folder / "acme.yaml").write_text(STANDARD + own)
    return load_policy(folder / "acme.yaml", "acme", (), Library(folder)).policy.limits


def test_the_platforms_levels_hold_beside_a_policys_own(tmp_path: Path) -> None:
    read = bounded(
        tmp_path, "limits: {keys: {'*': {requests: 9/s}}}\n", "{tokens: 5/s, keys: {'*': {requests: 2/s}, '7': {}}}"
    )
    assert read.tenant.tokens == (Rate(5, 1),)
    assert [levels[0][1].requests for levels in read.keys] == [(Rate(9, 1),), (Rate(2, 1),)]


@pytest.mark.parametrize(
    ("own", "top", "fits"),
    [
        ("[10/s, 5000/day]", "600/min", True),
        ("5000/day", "600/min", False),
        ("[700/min, 9000/hour]", "600/min", False),
        ("[600/min]", "[600/min, 1000/day]", False),
        ("[600/min, 1000/day]", "[600/min, 1000/day]", True),
    ],
)
def test_of_several_amounts_one_that_stays_below_a_ceiling_is_enough(
    tmp_path: Path, own: str, top: str, fits: bool
) -> None:
    with nullcontext() if fits else pytest.raises(PolicyError, match="exceeds platform ceiling"):
        bounded(tmp_path, f"limits: {{requests: {own}}}\n", f"{{requests: {top}}}")


def test_editors_are_told_that_amounts_are_text() -> None:
    shown = policy_schema()["$defs"]["LevelDocument"]["properties"]["tokens"]["anyOf"]
    assert {"type": "string"} in shown
