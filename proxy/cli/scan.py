"""`promptshield scan`: the proxy's own chain over texts from standard input, without a server."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from detectors.builtin.classifier import SCORES
from detectors.chain import PATIENT_SECONDS, InspectionOptions
from detectors.selective import LEANING
from detectors.types import ATTACK, Category, InspectionContext, Origin
from policies.engine import decide
from policies.testing import text_segment
from policies.types import Facts, Policy, Verdict
from proxy.app import Detection, load_detection
from proxy.cli.policy_files import SignaturesOption, load_named, own_signatures
from proxy.runtime.processes import run_loop

JsonObject = dict[str, Any]
STANDARD = Path("preset/standard")


def scan(
    text: Annotated[str | None, typer.Option(help="One text instead of standard input.")] = None,
    origin: Annotated[str, typer.Option(help="Who wrote --text: user, tool, document, system ...")] = "user",
    policy: Annotated[Path, typer.Option(help="A policy file or preset/<name>.")] = STANDARD,
    signatures: SignaturesOption = None,
    no_judges: Annotated[
        bool, typer.Option("--no-judges", help="Local detectors only; judges are never asked here.")
    ] = False,
) -> None:
    """Judge JSON lines {"text": ..., "origin": ...} from standard input; write one JSON line each.

    Extra keys are kept. A line that cannot be read gives a line with "error", and exit code 1 at the end.
    """
    # No judge is ever asked here, where nobody's budget pays for it; the option is for scripts that must say so.
    del no_judges
    detection = load_detection()
    loaded = load_named(policy, detection, own_signatures(signatures, detection))
    lines = [orjson.dumps({"text": text, "origin": origin})] if text is not None else sys.stdin.buffer
    failed: int = run_loop(_scan(lines, loaded.policy, detection))
    raise typer.Exit(1 if failed else 0)


async def _scan(lines: Iterable[bytes], policy: Policy, detection: Detection) -> int:
    failed = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row, text, origin = _read(line)
        except ValueError as exc:
            failed += 1
            result: JsonObject = {"line": number, "error": str(exc)}
        else:
            started = time.perf_counter()
            chances: dict[Category, float] = {}
            context = InspectionContext(lexicon=policy.lexicon, shared={SCORES: chances})
            options = InspectionOptions(context, refiner_deadline=PATIENT_SECONDS)
            inspection = await detection.chain.inspect([text_segment(text, origin)], options)
            verdict = decide(policy, inspection, Facts(at=time.time()), detection.chain.revision, detection.actions)
            result = row | _result(verdict, chances, time.perf_counter() - started)
        sys.stdout.buffer.write(orjson.dumps(result) + b"\n")
        sys.stdout.buffer.flush()
    return failed


def _read(line: bytes) -> tuple[JsonObject, str, Origin]:
    """Return the row, its text and its origin. Raises ValueError with what is wrong."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as exc:
        raise ValueError(f"not JSON: {exc.msg}") from None
    text = row.get("text") if isinstance(row, dict) else None
    if not isinstance(text, str):
        raise ValueError('expected an object with a string "text"')  # noqa: TRY004 - wrong data, not a wrong call
    name = row.get("origin", "user")
    try:
        return row, text, Origin.parse(name)
    except ValueError:
        raise ValueError(f"unknown origin; one of {', '.join([*Origin, 'document'])}") from None


def _result(verdict: Verdict, chances: Mapping[Category, float], seconds: float) -> JsonObject:
    """Return what is printed of a text. `scores` is what the classifier makes of it by kind of attack; `confidence` is
    that of the surest finding, and below all findings orders texts by those scores.
    """
    hits = [item.finding.hit for item in verdict.judged]
    leanings = [round(LEANING * chance, 4) for chance in chances.values()]
    return {
        "action": verdict.intended_action,
        "confidence": max([hit.confidence for hit in hits if hit.category in ATTACK] + leanings, default=0.0),
        "scores": {category.value: round(chance, 4) for category, chance in chances.items()},
        "categories": sorted({hit.category for hit in hits}),
        "findings": [
            {
                "rule": item.finding.hit.rule_id,
                "kind": item.finding.hit.kind,
                "category": item.finding.hit.category,
                "severity": item.finding.hit.severity.name.lower(),
                "confidence": item.finding.hit.confidence,
                "span": [item.finding.hit.span.start, item.finding.hit.span.end] if item.finding.hit.span else None,
                "transforms": item.finding.hit.transforms,
                "action": item.action,
                "policy_rule": item.rule,
            }
            for item in verdict.judged
        ],
        "seconds": round(seconds, 6),
    }
