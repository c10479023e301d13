"""One request and its response passing through: the only mutable object, and the row it becomes."""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from detectors.types import ATTACK, Coverage, DetectorRun, Direction
from policies.types import ActionName, Facts, Judged, Policy, Verdict
from proxy.codec import Usage
from proxy.screen import Screened
from storage.types import DecisionRecord, Grant, Identity, Outcome
from storage.uuid7 import uuid7

MAX_SCORES: Final = 64
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")


@dataclass(slots=True)
class Exchange:
    """What is known so far. Times are seconds of `time.perf_counter`, but for `opened_at` (epoch)."""

    id: str
    request_id: str
    opened_at: float
    started: float
    route: str
    identity: Identity | None = None
    policy: Policy | None = None
    grant: Grant | None = None
    dialect: str = ""
    vocabulary: frozenset[str] = frozenset()
    model: str = ""
    upstream: str = ""
    streaming: bool = False
    network: str = ""
    request: Verdict | None = None
    response: Verdict | None = None
    runs: list[DetectorRun] = field(default_factory=list)
    outcome: Outcome = Outcome.REJECTED
    status: int = 0
    error_code: str = ""
    error_stage: str = ""
    usage: Usage = Usage()  # noqa: RUF009 - immutable
    digests: dict[str, str] = field(default_factory=dict)
    provider_saw_prompt: bool = False
    upstream_started: float = 0.0
    upstream_seconds: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    closed: bool = False

    @classmethod
    def open(cls, request_id: str | None, route: str, network: str) -> Exchange:
        """Begin an exchange. A client's request id is kept if it is plain; else ours is both."""
        now = time.time()
        own = uuid7(now)
        kept = request_id if request_id and _REQUEST_ID.fullmatch(request_id) else own
        return cls(own, kept, now, time.perf_counter(), route, network=network)

    def facts(self) -> Facts:
        identity = self.identity
        return Facts(
            at=self.opened_at,
            tenant=identity.tenant if identity else "",
            app=identity.app if identity else "",
            key_id=identity.key_id if identity else None,
            dialect=self.dialect,
            route=self.route,
            model=self.model,
            upstream=self.upstream,
            streaming=self.streaming,
            network=self.network,
        )

    def keep(self, screened: Screened, direction: Direction) -> None:
        """Note the verdict on one direction and who led to it."""
        if direction is Direction.REQUEST:
            self.request = screened.verdict
        else:
            self.response = screened.verdict
        self.runs += screened.runs

    def end(self, outcome: Outcome, status: int, code: str = "") -> None:
        self.outcome, self.status, self.error_code = outcome, status, code

    @property
    def action(self) -> ActionName:
        return _heaviest(v.action for v in self._verdicts())

    @property
    def degraded(self) -> tuple[str, ...]:
        return tuple(sorted({name for verdict in self._verdicts() for name in verdict.degraded}))

    def overhead_seconds(self) -> float:
        """Return what passing through us cost so far: all the time that was not the upstream's."""
        return max(0.0, time.perf_counter() - self.started - self.upstream_seconds)

    def record(self, instance: str, worker: int) -> DecisionRecord:
        """Return the row. The exchange must have an identity."""
        assert self.identity is not None  # noqa: S101 - callers journal only where a tenant is known
        judged = [item for verdict in self._verdicts() for item in verdict.judged]
        scores, overflow = _scores(judged, self.vocabulary)
        attacks = [j.finding.hit for j in judged if j.finding.hit.category in ATTACK]
        top = max(judged, key=lambda j: (j.action.weight, j.finding.hit.confidence), default=None)
        total = time.perf_counter() - self.started
        return DecisionRecord(
            id=self.id,
            tenant_id=self.identity.tenant_id,
            app_id=self.identity.app_id,
            key_id=self.identity.key_id,
            instance=instance,
            worker=worker,
            via="proxy",
            request_id=self.request_id,
            route=self.route,
            dialect=self.dialect,
            model=_shown(self.model),
            upstream=self.upstream,
            streaming=self.streaming,
            outcome=self.outcome,
            status=self.status,
            error_code=self.error_code,
            error_stage=self.error_stage,
            mode=str(self.policy.mode) if self.policy else "",
            action=str(self.action),
            intended_action=str(_heaviest(v.intended_action for v in self._verdicts())),
            request_action=str(self.request.action) if self.request else "",
            response_action=str(self.response.action) if self.response else "",
            category=str(top.finding.hit.category) if top else "",
            confidence=max((hit.confidence for hit in attacks), default=0.0),
            scores=scores,
            scores_overflow=overflow,
            facts=_json({"at": self.opened_at, "network": self.network, "app": self.identity.app}),
            coverage=_json({d: _receipt(v.coverage) for d, v in self._directions()}),
            digests=_json(self.digests),
            degraded=self.degraded,
            policy_id=self.policy.id if self.policy else "",
            policy_revision=self.policy.revision if self.policy else "",
            ruleset_revision=self.request.ruleset_revision if self.request else "",
            provider_saw_prompt=self.provider_saw_prompt,
            prompt_tokens=self.usage.prompt_tokens,
            completion_tokens=self.usage.completion_tokens,
            overhead_ms=round(max(0.0, total - self.upstream_seconds) * 1000, 3),
            upstream_ms=round(self.upstream_seconds * 1000, 3),
            total_ms=round(total * 1000, 3),
            closed_at=time.time(),
        )

    def _verdicts(self) -> list[Verdict]:
        return [verdict for _, verdict in self._directions()]

    def _directions(self) -> list[tuple[str, Verdict]]:
        both = (("request", self.request), ("response", self.response))
        return [(name, verdict) for name, verdict in both if verdict is not None]


def digest(key: bytes, data: bytes) -> str:
    """Return a keyed hash (hex) that proves what was sent without keeping it."""
    return hashlib.blake2b(data, key=key, digest_size=16).hexdigest()


def _heaviest(actions: Iterable[ActionName]) -> ActionName:
    return max(actions, key=lambda action: action.weight, default=ActionName.ALLOW)


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
    # A step that is no word of the dialect is a key the client chose, which may itself be what was found.
    steps = (step if step.isdigit() or step in vocabulary else "*" for step in segment.pointer.split("/")[1:])
    return {
        "direction": direction,
        "origin": origin,
        "category": category,
        "rule": rule,
        "detector": detector,
        "confidence": item.finding.hit.confidence,
        "kind": item.finding.hit.kind,
        "pointer": "".join(f"/{step}" for step in steps),
        "content": f"hmac:{segment.content}",
        "count": count,
        "action": item.action,
        "policy_rule": item.rule,
    }


def _receipt(coverage: Coverage) -> dict[str, Any]:
    return {
        "scanned": coverage.scanned,
        "cached": coverage.cached,
        "skipped": dict(coverage.skipped),
        "unscanned": {str(reason): count for reason, count in coverage.unscanned.items()},
    }


def _shown(model: str) -> str:
    """A model's name is the client's text: printable, and bounded."""
    return _UNPRINTABLE.sub("?", model[:200])


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
