"""A policy's own tests: each text goes through the real chain and the real decision."""

from __future__ import annotations

import time
from dataclasses import dataclass

from detectors.chain import Chain, Inspection, InspectionOptions
from detectors.errors import PolicyError
from detectors.types import Direction, Kind, Origin, Place, Segment
from policies.engine import Actions, decide
from policies.loader import LoadedPolicy
from policies.types import ActionName, Facts, Policy, Verdict


@dataclass(frozen=True, slots=True)
class TestResult:
    """`action` is what the policy intends, so that a monitoring policy can be tested too."""

    __test__ = False
    name: str
    expected: ActionName
    action: ActionName

    @property
    def passed(self) -> bool:
        return self.action is self.expected


def text_segment(text: str, origin: Origin) -> Segment:
    """Return a free-standing text as the segment the chain reads."""
    return Segment(Direction.REQUEST, origin, Kind.TEXT, Place.VALUE, "", text)


async def judge_text(policy: Policy, chain: Chain, actions: Actions, text: str, origin: Origin) -> Verdict:
    """Return what `policy` says of one text by one origin."""
    inspection: Inspection = await chain.inspect([text_segment(text, origin)], InspectionOptions())
    return decide(policy, inspection, Facts(at=time.time()), chain.revision, actions)


async def screen_preamble(loaded: LoadedPolicy, chain: Chain, actions: Actions) -> None:
    """Read once what is put before every system prompt, as if a user had said it, by the policy itself. Raises
    PolicyError if that would stop it or change it: it is sent as it stands.
    """
    candidate = loaded.policy.candidate
    for policy in (loaded.policy, *(() if candidate is None else (candidate.policy,))):
        if not policy.preamble:
            continue
        verdict = await judge_text(policy, chain, actions, policy.preamble, Origin.USER)
        if verdict.intended_action.weight > ActionName.FLAG.weight:
            found = ", ".join(sorted({item.finding.hit.rule_id for item in verdict.judged})) or "what nobody could read"
            raise PolicyError(
                loaded.file, None, f"preamble: the policy itself would {verdict.intended_action} it ({found})"
            )


async def run_tests(loaded: LoadedPolicy, chain: Chain, actions: Actions) -> tuple[TestResult, ...]:
    """Run the file's `tests:`; an empty tuple means it has none."""
    results = []
    for test in loaded.tests:
        origin, text = test.text
        verdict = await judge_text(loaded.policy, chain, actions, text, origin)
        results.append(TestResult(test.name, ActionName(test.expect), verdict.intended_action))
    return tuple(results)
