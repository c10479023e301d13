"""What a policy would do, asked before it does it: the compiler's report, its tests, what it changes, a replay."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from detectors.documents import parse_document
from detectors.errors import OperationError, PolicyError, Problem
from policies.difference import difference
from policies.lint import remarks
from policies.loader import LoadedPolicy
from policies.replay import Tally
from policies.testing import unproved_rules
from policies.types import Policy
from proxy.control.answers.policies import (
    ChangedSetting,
    PolicyDifference,
    PolicyReport,
    ReplayedChange,
    ReplayReport,
    ShownChange,
    ShownProblem,
    ShownTest,
    TestReport,
    TextOrVersion,
)
from proxy.control.operations import Call
from proxy.control.policy_desk import PolicyPlace, in_force, load, patience, tested, version_of
from proxy.recorded_traffic import Traffic, may_decide, tally_of

_MOST_CHANGES: Final = 200
_REPLAY_PATIENCE: Final = 120.0  # seconds: about two million decisions


async def loaded_of(call: Call, place: PolicyPlace, given: TextOrVersion) -> LoadedPolicy:
    """Return the policy of a text or a version. Raises PolicyError, OperationError."""
    if (given.content is None) == (given.version is None):
        raise OperationError(422, "invalid_field", "Give a text or a version.", "content")
    content = given.content
    if content is None:
        content = (await version_of(call.parts, place, given.version or 0)).content
    return await load(call.parts, place, content)


async def report_on(call: Call, place: PolicyPlace, content: str) -> PolicyReport:
    """Say of a text what a compiler would: a text that does not load is an answer, not a failure."""
    try:
        loaded = await load(call.parts, place, content)
    except PolicyError as exc:
        problems = [shown_problem(problem) for problem in exc.problems]
        return PolicyReport(ok=False, problems=problems, warnings=[], revision=None, rules=0, tests=0)
    return PolicyReport(
        ok=True,
        problems=[],
        warnings=list(_warnings(call, loaded, content)),
        revision=loaded.policy.revision,
        rules=len(loaded.policy.rules),
        tests=len(loaded.tests),
    )


def _warnings(call: Call, loaded: LoadedPolicy, content: str) -> Iterator[ShownProblem]:
    document = parse_document(content, loaded.file, PolicyError)
    for remark in remarks(loaded, call.parts.detection.rules, datetime.now(UTC).date()):
        line = column = None
        if remark.rule:
            ids = [rule.get("id") for rule in document.content.get("rules", [])]
            line, column = document.place(("rules", ids.index(remark.rule), "id"))
        yield ShownProblem(line=line, column=column, text=remark.text)


def shown_problem(problem: Problem) -> ShownProblem:
    return ShownProblem(line=problem.line, column=problem.column, text=problem.text)


async def run_its_tests(call: Call, loaded: LoadedPolicy) -> TestReport:
    results = await tested(call.parts, loaded)
    tests = [
        ShownTest(
            name=result.name,
            passed=result.passed,
            action="" if result.action is None else str(result.action),
            problems=list(result.problems),
            seconds=result.seconds,
        )
        for result in results
    ]
    unproved = list(unproved_rules(loaded.own_rules, results))
    return TestReport(ok=all(result.passed for result in results), tests=tests, unproved=unproved)


def difference_from_force(call: Call, place: PolicyPlace, policy: Policy) -> PolicyDifference:
    """Say what a policy would decide otherwise than what is in force."""
    detection = call.parts.detection
    found = difference(in_force(call.parts, place), policy, detection.rules, detection.actions, time.time())
    changes = sorted(found.changes, key=lambda change: change.before.weight - change.after.weight)
    return PolicyDifference(
        empty=found.empty,
        changes=[
            ShownChange(
                before=str(change.before),
                after=str(change.after),
                rule_before=change.rule_before,
                rule_after=change.rule_after,
                cases=change.count,
                category=str(change.case.finding.hit.category),
                found_by=change.case.finding.hit.rule_id,
                direction=str(change.case.finding.segment.direction),
                origin=str(change.case.finding.segment.origin),
                example=change.case.example[:1000],
            )
            for change in changes[:_MOST_CHANGES]
        ],
        settings=[ChangedSetting(name=name, before=before, after=after) for name, before, after in found.settings],
        rules=list(found.rules),
        exclusions=list(found.exclusions),
    )


async def replayed(call: Call, place: PolicyPlace, policy: Policy, days: int) -> Tally:
    """Decide the recorded traffic of the last days again. Raises OperationError 422 if that takes too long."""
    since = datetime.now(UTC) - timedelta(days=days)
    known = [one for name, one in call.parts.policies.policies.items() if may_decide(name, place.slug)]
    async with patience(call.parts, _REPLAY_PATIENCE):
        recorded = Traffic(place.slug, place.app, since)
        return await tally_of(policy, call.parts.detection, recorded, call.parts.database, known=known)


def shown_replay(policy: Policy, tally: Tally, days: int) -> ReplayReport:
    changes = [
        ReplayedChange(change=what, app=app, rule=rule, count=count, decisions=tally.samples[what, app, rule])
        for (what, app, rule), count in tally.by.most_common(_MOST_CHANGES)
    ]
    return ReplayReport(
        revision=policy.revision,
        since=datetime.now(UTC) - timedelta(days=days),
        decisions=tally.decisions,
        judged=tally.judged,
        newly_blocked=tally.newly_blocked,
        newly_allowed=tally.newly_allowed,
        other_changes=tally.other_changes,
        undecidable=tally.undecidable,
        doubts={str(doubt): count for doubt, count in tally.doubts.items()},
        changes=changes,
        complete=len(tally.by) <= _MOST_CHANGES,
    )
