"""What an engine answers: accounts and findings for people, what each step said for proxies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from detectors.batch import StageHits, stage_hits
from detectors.chain import Inspection
from detectors.memory import Told
from detectors.types import Finding
from proxy.bodies.json_document import dump
from storage.findings_format import hit_of, hit_row

JsonObject = dict[str, Any]
_MARK: Final = 16  # bytes


def write_answer(inspection: Inspection, told: Told, revision: str, *, steps: bool) -> bytes:
    """Return the body of an answer: with what each step said (`steps`), else with the findings as people read them."""
    answer: JsonObject = {
        "revision": revision,
        "runs": [
            {
                "detector": run.detector,
                "stage": run.stage.name.lower(),
                "required": run.required,
                "status": str(run.status),
                "reason": run.reason,
                "hits": run.hits,
                "confidence": run.confidence,
                "seconds": round(run.seconds, 6),
                "left_out": run.left_out,
            }
            for run in inspection.runs
        ],
    }
    if steps:
        answer["steps"] = {mark.hex(): _said(values) for mark, values in told.items()}
    else:
        answer["findings"] = [_finding(finding) for finding in inspection.findings]
        answer["unscanned"] = {str(reason): count for reason, count in inspection.coverage.unscanned.items()}
    return dump(answer)


def read_answer(raw: bytes, texts: int) -> Told:
    """Return what each step said of the `texts` that were asked about. Raises ValueError for anything else."""
    try:
        document = orjson.loads(raw)
        return {_mark(name): _values(said, texts) for name, said in document["steps"].items()}
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError("no answer of an engine") from exc


def _said(values: Mapping[int, StageHits]) -> JsonObject:
    """Which texts a step has read, and of those in which it found anything, what."""
    found = {
        str(index): [said.exhausted, {name: [hit_row(hit) for hit in hits] for name, hits in said.hits.items()}]
        for index, said in values.items()
        if said.hits or said.exhausted
    }
    return {"read": list(values), "found": found}


def _values(said: JsonObject, texts: int) -> Mapping[int, StageHits]:
    read, found = said["read"], said["found"]
    if not all(isinstance(index, int) and 0 <= index < texts for index in read):
        raise ValueError("a text that nobody asked about")
    values = {index: stage_hits({}, exhausted=False) for index in read}
    for index, (exhausted, hits) in found.items():
        if int(index) not in values:
            raise ValueError("found in what was not read")
        told = {str(name): tuple(hit_of(row) for row in rows) for name, rows in hits.items()}
        values[int(index)] = stage_hits(told, exhausted=bool(exhausted))
    return values


def _mark(name: str) -> bytes:
    mark = bytes.fromhex(name)
    if len(mark) != _MARK:
        raise ValueError("no step's mark")
    return mark


def _finding(finding: Finding) -> JsonObject:
    hit = finding.hit
    return {
        "pointer": finding.segment.pointer,
        "origin": str(finding.segment.origin),
        "detector": finding.detector,
        "rule": hit.rule_id,
        "kind": hit.kind,
        "category": str(hit.category),
        "severity": hit.severity.name.lower(),
        "confidence": hit.confidence,
        "span": None if hit.span is None else [hit.span.start, hit.span.end],
        "transforms": hit.transforms,
        "message": hit.message,
        "tags": hit.tags,
    }
