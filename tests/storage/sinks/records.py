"""Records to fill sinks with: ordinary ones, and extremes that a sink must take or refuse, but never lose quietly."""

from __future__ import annotations

from itertools import count

from storage.types import DecisionRecord, Outcome
from storage.uuid7 import uuid7

_NUMBERS = count()


def record(tenant_id: int = 1, **fields: object) -> DecisionRecord:
    values: dict[str, object] = {
        "id": uuid7(1_790_000_000 + next(_NUMBERS) / 1000), "tenant_id": tenant_id, "app_id": 5, "key_id": 6,
        "instance": "i1", "worker": 0, "via": "proxy", "request_id": "r1", "route": "/v1/chat/completions",
        "dialect": "openai", "model": "gpt", "upstream": "demo", "streaming": False, "outcome": Outcome.BLOCKED_REQUEST,
        "status": 400, "error_code": "content_filter", "error_stage": "", "mode": "enforce", "action": "block",
        "intended_action": "block", "request_action": "block", "response_action": "", "category": "prompt_injection",
        "confidence": 0.9, "scores": '[{"rule":"PS-INJ-001","confidence":0.9}]', "scores_overflow": False,
        "facts": '{"app":"shop"}', "coverage": "{}", "digests": "{}", "degraded": ("judge",), "policy_id": "p",
        "policy_revision": "sha256:0", "ruleset_revision": "sha256:1", "provider_saw_prompt": False,
        "prompt_tokens": 3, "completion_tokens": None, "overhead_ms": 1.5, "upstream_ms": 0.0, "total_ms": 1.5,
        "closed_at": 1_790_000_000.25, "personal": '{"network":"192.0.2.77"}', "subjects": ("5ub1ec7",),
        "bodies": '[{"data":"c1pher"}]',
    }  # fmt: skip
    return DecisionRecord(**(values | fields))  # type: ignore[arg-type]


def ordinary(number: int = 3) -> list[DecisionRecord]:
    """Records of two tenants, in turn."""
    return [record(1 + index % 2) for index in range(number)]


def extremes() -> list[DecisionRecord]:
    """Every one of these can be stored."""
    return [
        record(tenant_id=2**63 - 1, app_id=None, key_id=None, prompt_tokens=2**53, completion_tokens=0),
        record(model='\U0001f600 é ] " \\ \u2028 \x00 \n <b>', request_id="=cmd|' /C calc'!A0"),
        record(model="x" * 20_000, error_code="y" * 20_000),
        record(scores="[" + ",".join(['{"rule":"PS-INJ-001","pointer":"/a/\\n"}'] * 64) + "]"),
        record(instance="", outcome=Outcome.INTERRUPTED, action="", category="", upstream="", degraded=()),
        record(total_ms=1e15, confidence=1.0, closed_at=0.0),
    ]


def poison() -> list[DecisionRecord]:
    """None of these can ever be stored."""
    return [record(model="\ud800"), record(scores="no JSON"), record(id="no id"), record(closed_at=1e18)]
