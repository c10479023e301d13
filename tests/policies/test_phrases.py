"""Which policies make streams wait for phrases."""

from __future__ import annotations

import pytest

from policies.loader import load_preset
from policies.phrases import waits_for_phrases
from tests.policies.conftest import MakePolicy

KINDS = frozenset({"DAN", "KEYWORD"})


@pytest.mark.parametrize("preset", ["standard", "strict", "monitor"])
def test_the_presets_do_not(preset: str) -> None:
    assert not waits_for_phrases(load_preset(f"preset/{preset}").policy, KINDS)


@pytest.mark.parametrize(
    ("when", "action", "waits"),
    [
        ("{category: jailbreak}", "block", True),
        ("{category: [pii, prompt_injection], direction: response}", "mask", True),
        ("{min_confidence: 0.5}", "block", True),
        ("{rule: PS-INJ-001}", "block", True),
        ("{category: jailbreak}", "flag", False),
        ("{category: jailbreak, direction: request}", "block", False),
        ("{category: jailbreak, origin: tool}", "block", False),
        ("{category: [pii, credential, exfiltration]}", "block", False),
        ("{kind: SYSTEM_PROMPT}", "block", False),
        ("{kind: [EMAIL, DAN]}", "block", True),
        ("{category: jailbreak, kind: DAN}", "mask", True),
        ("{category: [pii, keyword]}", "mask", True),
    ],
)
def test_a_rule_that_stops_what_an_answer_says_does(
    make_policy: MakePolicy, when: str, action: str, waits: bool
) -> None:
    policy = make_policy(f"rules: [{{id: a, when: {when}, action: {action}}}]")

    assert waits_for_phrases(policy, KINDS) is waits
