"""`promptshield policy explain`: why a text, an answer or a whole request gets its verdict."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer

from detectors.chain import PATIENT_SECONDS, Inspection, InspectionOptions
from detectors.errors import EdgeError
from detectors.types import Direction, InspectionContext, Origin, RunStatus
from policies.expectations import RequestDocument
from policies.explanation import Explanation, Step, as_document, explain
from policies.testing import Reading, text_segment
from policies.types import ActionName, Facts, Policy
from proxy.app import Detection, load_detection
from proxy.cli.policy_files import FileArgument, JsonOption, SignaturesOption, load_named, own_signatures, refuse
from proxy.request_reader import CodecReader
from proxy.runtime.processes import run_loop

_LONGEST: Final = 8 << 20
_ELSEWHERE: Final = ("category ", "kind ", "rule ")


def run(
    file: FileArgument,
    text: Annotated[str | None, typer.Option(help="The text to judge.")] = None,
    text_file: Annotated[Path | None, typer.Option("--text-file", help="A file with the text; - is the input.")] = None,
    request: Annotated[Path | None, typer.Option(help="A file with a request's whole JSON body.")] = None,
    path: Annotated[str, typer.Option(help="Where such a request goes.")] = "/v1/chat/completions",
    origin: Annotated[str, typer.Option(help="user, tool, document, system, assistant ...")] = "user",
    answer: Annotated[bool, typer.Option("--answer", help="The text is what a model answers.")] = False,
    model: Annotated[str, typer.Option(help="The model it is for, as policies see it.")] = "",
    app: Annotated[str, typer.Option(help="The app that sends it.")] = "",
    role: Annotated[list[str] | None, typer.Option(help="A role of the sender's token; again for more.")] = None,
    signatures: SignaturesOption = None,
    all_: Annotated[bool, typer.Option("--all", help="Also the rules about something else.")] = False,
    json: JsonOption = False,
) -> None:
    """Say what a policy does with a text: every finding, exclusion, rule and threshold, in order."""
    if sum(given is not None for given in (text, text_file, request)) != 1:
        refuse("give one of --text, --text-file, --request")
    detection = load_detection()
    policy = load_named(file, detection, own_signatures(signatures, detection)).policy
    if request is not None:
        reading = _request(policy, detection, request, path)
    else:
        judged = text if text is not None else _read(text_file or Path("-")).decode(errors="replace")
        direction = Direction.RESPONSE if answer else Direction.REQUEST
        reading = Reading((text_segment(judged, Origin.ASSISTANT if answer else _origin(origin), direction),))
    context = InspectionContext(lexicon=policy.lexicon)
    options = InspectionOptions(context, refiner_deadline=PATIENT_SECONDS, left_out=reading.left_out)
    inspection: Inspection = run_loop(detection.chain.inspect(reading.segments, options))
    facts = replace(Facts(at=time.time()), model=model, app=app, roles=tuple(role or ()))
    why = explain(policy, inspection, facts, detection.chain.revision, detection.actions)
    if json:
        print(orjson.dumps(as_document(why), option=orjson.OPT_INDENT_2).decode())
    else:
        print("\n".join(_lines(why, whole=all_)))


def _origin(name: str) -> Origin:
    try:
        return Origin.parse(name)
    except ValueError:
        refuse(f"unknown origin; one of {', '.join([*Origin, 'document'])}")


def _read(file: Path) -> bytes:
    try:
        raw = sys.stdin.buffer.read(_LONGEST + 1) if str(file) == "-" else file.read_bytes()
    except OSError as exc:
        refuse(f"{file}: {exc.strerror}")
    if len(raw) > _LONGEST:
        refuse(f"{file}: larger than {_LONGEST >> 20} MiB")
    return raw


def _request(policy: Policy, detection: Detection, file: Path, path: str) -> Reading:
    try:
        body = orjson.loads(_read(file))
    except orjson.JSONDecodeError as exc:
        refuse(f"{file}: not JSON: {exc.msg}")
    if not isinstance(body, dict) or not path.startswith("/"):
        refuse("a request is a JSON object, its path begins with /")
    try:
        return CodecReader(detection.codecs).read(policy, RequestDocument(path=path, body=body))
    except EdgeError as exc:
        refuse(f"the request is refused before it is judged: {exc.status} {exc.code}: {exc.message}")


def _lines(why: Explanation, *, whole: bool) -> Iterator[str]:
    policy, verdict = why.policy, why.verdict
    enforced = "" if verdict.action is verdict.intended_action else f", enforced: {verdict.action}"
    yield f"{policy.id}@{policy.revision} ({policy.mode}): {verdict.intended_action}{enforced}"
    for run_ in why.runs:
        if run_.status is not RunStatus.OK:
            yield f"  detector {run_.detector}: {run_.status} ({run_.reason}), failure_mode is {policy.failure_mode}"
    for reason in verdict.unscanned:
        yield f"  nobody could look: {reason} -> {policy.unscanned[reason]}"
    if not why.steps:
        yield "  nothing was found"
    for step in why.steps:
        yield from _step_lines(step, whole=whole)


def _step_lines(step: Step, *, whole: bool) -> Iterator[str]:
    hit, segment, others = step.finding.hit, step.finding.segment, 0
    view = "+".join(hit.transforms) or "as is"
    place = f" at {segment.pointer}" if segment.pointer else ""
    span = f" characters {hit.span.start}-{hit.span.end}" if hit.span else ""
    by = f"rule '{step.decided_by}'" if step.action is not ActionName.ALLOW else "no rule"
    yield ""
    yield f"  {step.action}  {hit.rule_id} {hit.kind}: {hit.message}  ({by})"
    claim = f"{hit.category}, {hit.severity.name.lower()}, confidence {hit.confidence:g}"
    yield f"      {claim}, by {step.finding.detector}"
    yield f"      {segment.direction}, origin {segment.origin}{place}{span}, read {view}"
    for excuse in step.excuses:
        outcome = "; ".join(excuse.unmet) or "excuses it"
        yield f"      exclusion until {excuse.until} by {excuse.owner} ({excuse.reason}): {outcome}"
    for asked in step.asked:
        if any(words.startswith(_ELSEWHERE) for words in asked.unmet) and not whole:
            others += 1
            continue
        yield f"      rule {asked.rule}: {'no, ' + '; '.join(asked.unmet) if asked.unmet else asked.action}"
    if others:
        yield f"      {others} rules are about something else (--all shows them)"
