"""A policy's own tests: each goes through the real chain and the real decision."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from detectors.canary import canary_of
from detectors.chain import PATIENT_SECONDS, Chain, Inspection, InspectionOptions
from detectors.documents import read_document
from detectors.errors import EdgeError, PolicyError
from detectors.guard import Guard
from detectors.seams import seams
from detectors.types import Coverage, Direction, Finding, InspectionContext, Kind, Origin, Place, Segment
from policies.attribution import asked_alone, rules_behind, rules_that_decide
from policies.engine import Actions, decide
from policies.expectations import RequestDocument, TestDocument, TestFileDocument
from policies.loader import LoadedPolicy
from policies.types import ActionName, Edit, Facts, Policy, Verdict

TEST_FILES: Final = ".tests.yaml"
_CANARY: Final = canary_of(b"")  # of no tenant


@dataclass(frozen=True, slots=True)
class Reading:
    """What is to be judged: all segments, seams included, and the receipt of what they do not hold."""

    segments: tuple[Segment, ...]
    left_out: Coverage = Coverage()  # noqa: RUF009 - immutable
    guard: Guard | None = None


class RequestReader(Protocol):
    """Who reads a whole request as the data plane would; the codecs are the proxy's."""

    def read(self, policy: Policy, request: RequestDocument) -> Reading:
        """Raises EdgeError where the data plane refuses the request before anybody judges it."""


@dataclass(frozen=True, slots=True)
class TestResult:
    """`action` is what the policy intends, so that a monitoring policy can be tested too; None: nothing was judged.

    `rules` are the policy's rules that ask for what was done, `problems` all that is not as expected.
    """

    __test__ = False
    name: str
    expected: ActionName
    action: ActionName | None
    problems: tuple[str, ...]
    rules: frozenset[str]
    seconds: float

    @property
    def passed(self) -> bool:
        return not self.problems


def text_segment(text: str, origin: Origin, direction: Direction = Direction.REQUEST) -> Segment:
    """Return a free-standing text as the segment the chain reads."""
    return Segment(direction, origin, Kind.TEXT, Place.VALUE, "", text)


async def judge_text(policy: Policy, chain: Chain, actions: Actions, text: str, origin: Origin) -> Verdict:
    """Return what `policy` says of one text by one origin."""
    options = InspectionOptions(InspectionContext(lexicon=policy.lexicon), refiner_deadline=PATIENT_SECONDS)
    inspection: Inspection = await chain.inspect([text_segment(text, origin)], options)
    return decide(policy, inspection, Facts(at=time.time()), chain.revision, actions)


def read_test_file(file: Path) -> TestFileDocument:
    """Read a file of tests. Raises PolicyError."""
    return read_document(file, PolicyError).validate(TestFileDocument)


async def run_tests(
    loaded: LoadedPolicy,
    chain: Chain,
    actions: Actions,
    reader: RequestReader | None = None,
    tests: Sequence[TestDocument] | None = None,
) -> tuple[TestResult, ...]:
    """Run `tests`, or else the file's own; an empty tuple means it has none. Whole requests need a `reader`."""
    chosen = loaded.tests if tests is None else tests
    return tuple([await run_test(loaded.policy, test, chain, actions, reader) for test in chosen])


async def run_test(
    policy: Policy, test: TestDocument, chain: Chain, actions: Actions, reader: RequestReader | None = None
) -> TestResult:
    """Judge what the test holds, and hold the verdict against what it expects."""
    started = time.perf_counter()
    expected = ActionName(test.expect)
    try:
        reading = _reading(policy, test, reader)
    except EdgeError as exc:
        refused = (f"refused before it is judged: {exc.message}",)
        return TestResult(test.name, expected, None, refused, frozenset(), time.perf_counter() - started)
    options = InspectionOptions(
        InspectionContext(guard=reading.guard, lexicon=policy.lexicon),
        refiner_deadline=PATIENT_SECONDS,
        left_out=reading.left_out,
    )
    inspection = await chain.inspect(reading.segments, options)
    inspection, facts = _claimed(inspection, test.content), _facts(test)
    verdict = decide(policy, inspection, facts, chain.revision, actions)
    asked = asked_alone(policy, inspection, facts, chain.revision, actions)
    return TestResult(
        name=test.name,
        expected=expected,
        action=verdict.intended_action,
        problems=tuple(_problems(test, verdict, rules_behind(verdict, asked), reading.segments)),
        rules=rules_that_decide(verdict, asked),
        seconds=time.perf_counter() - started,
    )


def unproved_rules(rules: Iterable[str], results: Iterable[TestResult]) -> tuple[str, ...]:
    """Return those of `rules` that decided in no test that passed."""
    proved = {rule for result in results if result.passed for rule in result.rules}
    return tuple(rule for rule in rules if rule not in proved)


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with its edits carried out; `[EMAIL_*]` stands for whatever pseudonym the proxy would give."""
    for edit in sorted(edits, key=lambda edit: edit.span, reverse=True):
        by = edit.replacement if isinstance(edit.replacement, str) else f"[{edit.replacement.kind}_*]"
        text = text[: edit.span.start] + by + text[edit.span.end :]
    return text


def _reading(policy: Policy, test: TestDocument, reader: RequestReader | None) -> Reading:
    if test.request is not None:
        if reader is None:
            raise EdgeError(404, "unknown_path", "nobody is here to read whole requests")
        return reader.read(policy, test.request)
    if test.conversation is None and test.answer is None:
        return Reading(tuple(text_segment(text, origin) for origin, text in test.turns))
    turns = [
        Segment(Direction.REQUEST, origin, Kind.TEXT, Place.VALUE, f"/messages/{index}/content", text)
        for index, (origin, text) in enumerate(test.turns)
    ]
    if test.answer is None:
        return Reading((*turns, *seams([[turn] for turn in turns])))
    newest = [turn for turn in turns if turn.origin is Origin.USER][-1:]
    answer = text_segment(test.answer.replace("{canary}", _CANARY), Origin.ASSISTANT, Direction.RESPONSE)
    return Reading((answer,), guard=policy.leakage.guard(_CANARY, turns, newest))


def _facts(test: TestDocument) -> Facts:
    return replace(Facts(at=time.time() if test.at is None else test.at), **(test.facts or {}))


def _claimed(inspection: Inspection, content: str | None) -> Inspection:
    """Let findings be about the content that the test names: where policies are tested nobody has the tenant's key."""
    if content is None:
        return inspection
    return replace(inspection, findings=tuple(_about(finding, content) for finding in inspection.findings))


def _about(finding: Finding, content: str) -> Finding:
    return replace(finding, segment=replace(finding.segment, content=content.removeprefix("hmac:")))


def _problems(
    test: TestDocument, verdict: Verdict, behind: Sequence[str], segments: Sequence[Segment]
) -> Iterable[str]:
    if verdict.intended_action.value != test.expect:
        yield f"expected {test.expect}, got {verdict.intended_action}"
    if test.rule is not None and test.rule not in behind:
        yield f"expected rule '{test.rule}' to ask for it, it was {', '.join(behind) or 'none'}"
    if test.masked is not None:
        wanted = {"": test.masked} if isinstance(test.masked, str) else test.masked
        texts = {s.pointer: s.text for s in segments if s.kind is not Kind.SEAM and s.place is Place.VALUE}
        for pointer, text in wanted.items():
            edits = [edit for edit in verdict.effect.edits if edit.pointer == pointer]
            if edited(texts.get(pointer, ""), edits) != text:
                # The text of a test is its author's own, and this is shown to nobody else.
                where = f" at {pointer}" if pointer else ""
                yield f"expected {text!r}{where}, got {edited(texts.get(pointer, ''), edits)!r}"


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
