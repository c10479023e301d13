"""The row that an exchange becomes: flat, bounded, and without a word of anybody's text."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from detectors.types import ATTACK, Category, Coverage, Direction, RunStatus
from policies.facts import kept_facts
from policies.types import ActionName, CandidateVerdict, Judged, Verdict
from proxy.bodies.pointer import shown
from proxy.exchange import Exchange, heaviest
from proxy.judging.receipt import judges_json
from proxy.recording.stored_bodies import bodies_json, last_day
from storage.chains.canonical import FORM, canonical_json
from storage.types import DecisionRecord, Identity, OpenedRecord

MAX_SCORES: Final = 64
NOWHERE: Final = "nowhere"  # the place of a claim without a span
_CATEGORIES: Final = frozenset(Category)  # the labels of flags, which scores tell
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")


class _Found(NamedTuple):
    """What the findings of an exchange come to, in the words of its row."""

    scores: str
    overflow: bool
    category: str
    confidence: float


@dataclass(slots=True)
class _Group:
    best: Judged
    count: int = 1


_NOTHING: Final = _Found("[]", False, "", 0.0)


def opened_of(exchange: Exchange, identity: Identity, instance: str, worker: int) -> OpenedRecord:
    """Return what its row will hold should nothing more be heard of the exchange."""
    policy, request = exchange.policy, exchange.request
    found = _found([] if request is None else [request], exchange.vocabulary)
    return OpenedRecord(
        id=exchange.id,
        tenant_id=identity.tenant_id,
        app_id=identity.app_id,
        key_id=identity.key_id or None,
        instance=instance,
        worker=worker,
        via=exchange.via,
        request_id=exchange.request_id,
        route=exchange.route,
        dialect=exchange.dialect,
        model=_shown(exchange.model),
        upstream=exchange.upstream,
        streaming=exchange.streaming,
        mode=policy.mode if policy else "",
        action=request.action if request else ActionName.ALLOW,
        intended_action=request.intended_action if request else ActionName.ALLOW,
        category=found.category,
        confidence=found.confidence,
        scores=found.scores,
        scores_overflow=found.overflow,
        facts=_facts(exchange),
        coverage=_coverage(exchange),
        digests=canonical_json(exchange.digests),
        degraded=exchange.degraded,
        policy_id=policy.id if policy else "",
        policy_revision=policy.revision if policy else "",
        ruleset_revision=request.ruleset_revision if request else "",
        personal=exchange.personal,
        personal_digest=exchange.personal_digest,
        subjects=exchange.subjects,
        bodies=_bodies(exchange),
        canonical=FORM,
    )


def record_of(exchange: Exchange, identity: Identity, instance: str, worker: int) -> DecisionRecord:
    """Return the decision as it stands now, for the tenant that `identity` names."""
    policy, request, response = exchange.policy, exchange.request, exchange.response
    found = _found(exchange.verdicts(), exchange.vocabulary)
    total = time.perf_counter() - exchange.started
    return DecisionRecord(
        id=exchange.id,
        tenant_id=identity.tenant_id,
        app_id=identity.app_id,
        key_id=identity.key_id or None,
        instance=instance,
        worker=worker,
        via=exchange.via,
        request_id=exchange.request_id,
        route=exchange.route,
        dialect=exchange.dialect,
        model=_shown(exchange.model),
        upstream=exchange.upstream,
        streaming=exchange.streaming,
        outcome=exchange.outcome,
        status=exchange.status,
        error_code=exchange.error_code,
        error_stage=exchange.error_stage,
        mode=policy.mode if policy else "",
        action=exchange.action,
        intended_action=heaviest([v.intended_action for v in exchange.verdicts()]),
        request_action=request.action if request else "",
        response_action=response.action if response else "",
        category=found.category,
        confidence=found.confidence,
        scores=found.scores,
        scores_overflow=found.overflow,
        facts=_facts(exchange),
        coverage=_coverage(exchange),
        digests=canonical_json(exchange.digests),
        degraded=exchange.degraded,
        policy_id=policy.id if policy else "",
        policy_revision=policy.revision if policy else "",
        ruleset_revision=request.ruleset_revision if request else "",
        provider_saw_prompt=exchange.provider_saw_prompt,
        prompt_tokens=exchange.usage.prompt_tokens,
        completion_tokens=exchange.usage.completion_tokens,
        overhead_ms=max(0.0, total - exchange.upstream_seconds) * 1000,
        upstream_ms=exchange.upstream_seconds * 1000,
        total_ms=total * 1000,
        closed_at=round(time.time(), 6),  # as exactly as the database keeps it
        personal=exchange.personal,
        personal_digest=exchange.personal_digest,
        subjects=exchange.subjects,
        bodies=_bodies(exchange),
        canonical=FORM,
    )


def _found(verdicts: Sequence[Verdict], vocabulary: frozenset[str]) -> _Found:
    """What was excused decided nothing, and would without its exclusion: it stands behind everything else."""
    judged = [item for verdict in verdicts for item in verdict.judged]
    pardoned = [Judged(finding, ActionName.ALLOW, "") for verdict in verdicts for finding in verdict.excused]
    if not judged and not pardoned:
        return _NOTHING
    groups = _grouped(judged)
    rows = [*_scores(groups, vocabulary), *(row | {"excused": True} for row in _scores(_grouped(pardoned), vocabulary))]
    scores, overflow = canonical_json(rows[:MAX_SCORES]), len(rows) > MAX_SCORES
    if not judged:
        return _Found(scores, overflow, "", 0.0)
    attacks = [group.best.finding.hit.confidence for group in groups if group.best.finding.hit.category in ATTACK]
    top = max((group.best for group in groups), key=lambda j: (j.action.weight, j.finding.hit.confidence))
    return _Found(scores, overflow, top.finding.hit.category, max(attacks, default=0.0))


def _grouped(judged: Iterable[Judged]) -> Sequence[_Group]:
    """Return the findings of one text that are told by their place alone as one, with the most confident of them.

    A body may hold fifty thousand, counted while everybody else waits: keys are of what is hashed without Python code.
    """
    groups: dict[tuple[int, str, str, int, int, bool], _Group] = {}
    for item in judged:
        finding = item.finding
        hit = finding.hit
        key = (id(finding.segment), hit.rule_id, finding.detector, id(hit.category), id(item.action), hit.span is None)
        group = groups.get(key)
        if group is None:
            groups[key] = _Group(item)
        else:
            group.count += 1
            if hit.confidence > group.best.finding.hit.confidence:
                group.best = item
    return list(groups.values())


def _scores(groups: Iterable[_Group], vocabulary: frozenset[str]) -> list[dict[str, Any]]:
    """Per direction, origin, category and rule: the highest confidence, where it was, how often, what was done.

    What an action can do nothing with (a number, a key, a claim without a place) stands by itself: `replay` decides
    again from these rows alone.
    """
    best: dict[tuple[str, ...], Judged] = {}
    counts: Counter[tuple[str, ...]] = Counter()
    for group in groups:
        item = group.best
        hit, segment = item.finding.hit, item.finding.segment
        place = segment.place if hit.span is not None else NOWHERE
        key = (segment.direction, segment.origin, hit.category, hit.rule_id, item.finding.detector, place)
        counts[key] += group.count
        if key not in best or hit.confidence > best[key].finding.hit.confidence:
            best[key] = item
    ordered = sorted(best.items(), key=lambda entry: -entry[1].finding.hit.confidence)
    return [_score(key, item, counts[key], vocabulary) for key, item in ordered[: MAX_SCORES + 1]]


def _score(key: tuple[str, ...], item: Judged, count: int, vocabulary: frozenset[str]) -> dict[str, Any]:
    direction, origin, category, rule, detector, place = key
    segment = item.finding.segment
    return {
        "direction": direction,
        "origin": origin,
        "category": category,
        "rule": rule,
        "detector": detector,
        "confidence": item.finding.hit.confidence,
        "kind": item.finding.hit.kind,
        "severity": item.finding.hit.severity.name.lower(),
        "pointer": shown(segment.pointer, vocabulary),
        "place": place,
        "content": f"hmac:{segment.content}",
        "count": count,
        "action": item.action,
        "policy_rule": item.rule,
    }


def _facts(exchange: Exchange) -> str:
    """What decisions looked at and what no column holds, with what they decided beside the action."""
    kept = kept_facts(exchange.facts())
    if fallbacks := kept.get("fallbacks"):
        kept["fallbacks"] = [_shown(model) for model in fallbacks]
    # Because what was found decided it; texts that nobody wanted read are none of that.
    idle = [run for run in exchange.runs.values() if run.status is RunStatus.SKIPPED and not run.left_out]
    if skipped := sorted(run.detector for run in idle):
        kept["skipped"] = skipped
    labels = {label for verdict in exchange.verdicts() for label in verdict.effect.labels} - _CATEGORIES
    if labels:
        kept["labels"] = sorted(labels)
    if any(verdict.review for verdict in exchange.verdicts()) and exchange.policy is not None:
        kept["review"] = {"until": last_day(exchange.opened_at, exchange.policy.retain_bodies_days).isoformat()}
    if exchange.spent is not None:
        kept["spent"] = exchange.spent
    if exchange.meter is not None and exchange.meter.notes:
        kept |= exchange.meter.notes
    if exchange.asked_model:
        kept["asked_model"] = _shown(exchange.asked_model)
    others = {str(walked): v.disagreement for walked, v in _directions(exchange) if v.disagreement is not None}
    if others:
        kept["candidate"] = {walked: _candidate(other) for walked, other in others.items()}
    if exchange.trace is not None:
        kept["trace_id"] = exchange.trace.trace_id
    return canonical_json(kept) if kept else "{}"


def _directions(exchange: Exchange) -> list[tuple[Direction, Verdict]]:
    both = ((Direction.REQUEST, exchange.request), (Direction.RESPONSE, exchange.response))
    return [(direction, verdict) for direction, verdict in both if verdict is not None]


def _candidate(other: CandidateVerdict) -> dict[str, str]:
    return {
        "policy": other.policy_id,
        "revision": other.policy_revision,
        "action": str(other.action),
        "rule": other.rule,
    }


def _bodies(exchange: Exchange) -> str:
    return bodies_json(exchange.bodies) if exchange.bodies else "[]"


def _coverage(exchange: Exchange) -> str:
    receipts = []
    if exchange.request is not None:
        receipts.append(f'"request":{_receipt(exchange.request.coverage)}')
    if exchange.response is not None:
        receipts.append(f'"response":{_receipt(exchange.response.coverage)}')
    if exchange.judge_calls:
        receipts.append(f'"judges":{judges_json(exchange.judge_calls)}')
    return f"{{{','.join(receipts)}}}"


def _receipt(coverage: Coverage) -> str:
    # The same few of them come again and again, in both records of most exchanges.
    return _receipt_json(
        coverage.scanned, coverage.cached, tuple(coverage.skipped.items()), tuple(coverage.unscanned.items())
    )


@lru_cache(maxsize=1024)
def _receipt_json(
    scanned: int, cached: int, skipped: tuple[tuple[str, int], ...], unscanned: tuple[tuple[str, int], ...]
) -> str:
    reasons = {str(reason): count for reason, count in unscanned}  # members of an enum are no keys to the encoder
    return canonical_json({"scanned": scanned, "cached": cached, "skipped": dict(skipped), "unscanned": reasons})


def _shown(model: str) -> str:
    """A model's name is the client's text: printable, and bounded."""
    return (
        model if len(model) <= 200 and model.isascii() and model.isprintable() else _UNPRINTABLE.sub("?", model[:200])
    )
