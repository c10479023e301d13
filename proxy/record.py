"""The row that an exchange becomes: flat, bounded, and without a word of anybody's text."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import orjson

from detectors.types import ATTACK, Coverage
from policies.types import Judged
from proxy.exchange import Exchange, heaviest
from proxy.pointer import shown
from storage.types import DecisionRecord, Identity

MAX_SCORES: Final = 64
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")


def record_of(exchange: Exchange, identity: Identity, instance: str, worker: int) -> DecisionRecord:
    """Return the decision as it stands now, for the tenant that `identity` names."""
    verdicts = exchange.verdicts()
    judged = [item for verdict in verdicts for item in verdict.judged]
    scores, overflow = _scores(judged, exchange.vocabulary) if judged else ("[]", False)
    attacks = [j.finding.hit for j in judged if j.finding.hit.category in ATTACK]
    top = max(judged, key=lambda j: (j.action.weight, j.finding.hit.confidence)) if judged else None
    total = time.perf_counter() - exchange.started
    policy, request, response = exchange.policy, exchange.request, exchange.response
    return DecisionRecord(
        id=exchange.id,
        tenant_id=identity.tenant_id,
        app_id=identity.app_id,
        key_id=identity.key_id,
        instance=instance,
        worker=worker,
        via="proxy",
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
        mode=str(policy.mode) if policy else "",
        action=str(heaviest([v.action for v in verdicts])),
        intended_action=str(heaviest([v.intended_action for v in verdicts])),
        request_action=str(request.action) if request else "",
        response_action=str(response.action) if response else "",
        category=str(top.finding.hit.category) if top else "",
        confidence=max(hit.confidence for hit in attacks) if attacks else 0.0,
        scores=scores,
        scores_overflow=overflow,
        facts=_json({"at": exchange.opened_at, "network": exchange.network, "app": identity.app}),
        coverage=_json({d: _receipt(v.coverage) for d, v in exchange.directions()}),
        digests=_json(exchange.digests),
        degraded=exchange.degraded if verdicts else (),
        policy_id=policy.id if policy else "",
        policy_revision=policy.revision if policy else "",
        ruleset_revision=request.ruleset_revision if request else "",
        provider_saw_prompt=exchange.provider_saw_prompt,
        prompt_tokens=exchange.usage.prompt_tokens,
        completion_tokens=exchange.usage.completion_tokens,
        overhead_ms=max(0.0, total - exchange.upstream_seconds) * 1000,
        upstream_ms=exchange.upstream_seconds * 1000,
        total_ms=total * 1000,
        closed_at=time.time(),
    )


def _scores(judged: Iterable[Judged], vocabulary: frozenset[str]) -> tuple[str, bool]:
    """Per direction, origin, category and rule: the highest confidence, where it was, how often, what was done."""
    best: dict[tuple[str, ...], Judged] = {}
    counts: Counter[tuple[str, ...]] = Counter()
    for item in judged:
        hit, segment = item.finding.hit, item.finding.segment
        key = (segment.direction, segment.origin, hit.category, hit.rule_id, item.finding.detector)
        counts[key] += 1
        if key not in best or hit.confidence > best[key].finding.hit.confidence:
            best[key] = item
    ordered = sorted(best.items(), key=lambda entry: -entry[1].finding.hit.confidence)
    rows = [_score(key, item, counts[key], vocabulary) for key, item in ordered[:MAX_SCORES]]
    return orjson.dumps(rows).decode(), len(ordered) > MAX_SCORES


def _score(key: tuple[str, ...], item: Judged, count: int, vocabulary: frozenset[str]) -> dict[str, Any]:
    direction, origin, category, rule, detector = key
    segment = item.finding.segment
    return {
        "direction": direction,
        "origin": origin,
        "category": category,
        "rule": rule,
        "detector": detector,
        "confidence": item.finding.hit.confidence,
        "kind": item.finding.hit.kind,
        "pointer": shown(segment.pointer, vocabulary),
        "content": f"hmac:{segment.content}",
        "count": count,
        "action": item.action,
        "policy_rule": item.rule,
    }


def _receipt(coverage: Coverage) -> dict[str, Any]:
    return {
        "scanned": coverage.scanned,
        "cached": coverage.cached,
        "skipped": coverage.skipped,
        "unscanned": {str(reason): count for reason, count in coverage.unscanned.items()} if coverage.unscanned else {},
    }


def _shown(model: str) -> str:
    """A model's name is the client's text: printable, and bounded."""
    return _UNPRINTABLE.sub("?", model[:200])


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
