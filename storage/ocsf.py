"""A decision as an event of the Open Cybersecurity Schema Framework, for whatever reads OCSF.

The class is API Activity (6003) with the profiles `security_control` and `ai_operation`, of OCSF 1.8.0, the first
release that has the second (https://github.com/ocsf/ocsf-schema/tree/1.8.0: events/application/api_activity.json,
profiles/, objects/). Not Detection Finding (2004): every decision is one call of an LLM API, and most of them found
nothing. As findings, the quiet ones would flood whoever works through a queue of findings; left out, nobody could
compute a rate. `is_alert` marks what somebody should look at, as the schema means it since 1.4.

What has no attribute of its own stands in `unmapped`, under the names of our columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from storage.types import Outcome
from storage.uuid7 import time_of

JsonObject = dict[str, Any]

VERSION: Final = "1.8.0"
_CLASS: Final = 6003
_CATEGORY: Final = 6  # Application Activity
_PROFILES: Final = ("security_control", "ai_operation")
# Our actions, lightest first: (action_id, action, disposition_id, disposition, severity_id, severity)
_ACTIONS: Final = {
    "": (1, "Allowed", 1, "Allowed", 1, "Informational"),
    "allow": (1, "Allowed", 1, "Allowed", 1, "Informational"),
    "flag": (3, "Observed", 15, "Detected", 2, "Low"),
    "pseudonymise": (4, "Modified", 11, "Corrected", 3, "Medium"),
    "mask": (4, "Modified", 11, "Corrected", 3, "Medium"),
    "block": (2, "Denied", 2, "Blocked", 4, "High"),
    "error": (2, "Denied", 27, "Error", 3, "Medium"),
}
_UNKNOWN: Final = (0, "Unknown", 0, "Unknown", 0, "Unknown")
_REJECTED: Final = (2, "Denied", 25, "Rejected", 2, "Low")
_FAILED: Final = frozenset({Outcome.UPSTREAM_ERROR, Outcome.INTERRUPTED, Outcome.INTERNAL_ERROR, Outcome.CLIENT_CLOSED})
_UNMAPPED: Final = (
    "category", "intended_action", "request_action", "response_action", "mode", "outcome", "via", "worker", "streaming",
    "dialect", "error_stage", "degraded", "scores", "scores_overflow", "coverage", "digests", "ruleset_revision",
    "provider_saw_prompt", "overhead_ms", "upstream_ms", "key_id",
)  # fmt: skip


def ocsf_event(row: Mapping[str, Any]) -> JsonObject:
    """Return the event of one decision.

    `row` has the fields of DecisionRecord by name; as strings or parsed, times as epoch seconds, RFC 3339 or aware
    datetimes. `opened_at`, and `tenant` and `app` by name, may be there. What is personal is never in the event.
    """
    action_id, action, disposition_id, disposition, severity_id, severity = _control(row)
    opened, closed = _milliseconds(row.get("opened_at", time_of(str(row["id"])))), _milliseconds(row["closed_at"])
    activity_id = 1  # Create: an LLM call makes an answer
    return {
        "activity_id": activity_id, "activity_name": "Create",
        "category_uid": _CATEGORY, "category_name": "Application Activity",
        "class_uid": _CLASS, "class_name": "API Activity",
        "type_uid": _CLASS * 100 + activity_id, "type_name": "API Activity: Create",
        "time": opened, "start_time": opened, "end_time": closed, "duration": int(row["total_ms"]),
        "severity_id": severity_id, "severity": severity,
        "action_id": action_id, "action": action,
        "disposition_id": disposition_id, "disposition": disposition,
        "is_alert": severity_id >= 3 or str(row["intended_action"]) == "block",
        "confidence_score": round(row["confidence"] * 100),
        "message": _message(row),
        **_status(row),
        "metadata": _metadata(row),
        "actor": {"app_name": _app(row), **_uid("app_uid", row["app_id"])},
        "api": {
            "operation": row["route"],
            "service": {"name": row["upstream"]},
            "request": {"uid": row["request_id"]},
            "response": {"code": row["status"], "error": row["error_code"]},
        },
        "http_response": {"code": row["status"]},
        "src_endpoint": _source(row),
        "ai_model": {"name": row["model"], "ai_provider": row["upstream"] or "unknown"},
        "message_context": _message_context(row),
        "policy": {"name": row["policy_id"], "uid": row["policy_id"], "version": row["policy_revision"]},
        "unmapped": {name: _parsed(row.get(name)) for name in _UNMAPPED},
    }  # fmt: skip


def _control(row: Mapping[str, Any]) -> tuple[int, str, int, str, int, str]:
    """What the firewall did; a refusal for no text's sake (key, limit, framing) is `Rejected`."""
    if row["outcome"] == Outcome.REJECTED:
        return _REJECTED
    return _ACTIONS.get(str(row["action"]), _UNKNOWN)


def _message(row: Mapping[str, Any]) -> str:
    found = f" for {row['category']}" if row["category"] else ""
    return f"{row['outcome']}: {row['action'] or 'no action'}{found}"


def _status(row: Mapping[str, Any]) -> JsonObject:
    failed = row["outcome"] in _FAILED or row["status"] >= 400
    status_id, status = (2, "Failure") if failed else (1, "Success")
    return {
        "status_id": status_id,
        "status": status,
        "status_code": str(row["status"]),
        "status_detail": row["error_code"] or str(row["outcome"]),
    }


def _metadata(row: Mapping[str, Any]) -> JsonObject:
    return {
        "version": VERSION,
        "product": {"name": "PromptShield", "vendor_name": "PromptShield"},
        "profiles": list(_PROFILES),
        "uid": str(row["id"]),
        "correlation_uid": row["request_id"],
        "tenant_uid": str(row["tenant_id"]),
        "log_name": "decisions",
        "log_provider": row["instance"],
        "labels": [f"tenant:{row['tenant']}"] if row.get("tenant") else [],
    }


def _app(row: Mapping[str, Any]) -> str:
    facts = _parsed(row["facts"])
    named = row.get("app") or (facts.get("app") if isinstance(facts, dict) else None)
    return str(named or row["app_id"] or "unknown")


def _source(row: Mapping[str, Any]) -> JsonObject:
    """The class requires a source: the app, since an address is personal data and may be erased."""
    return {"name": _app(row), **_uid("uid", row["key_id"])}


def _uid(name: str, number: int | None) -> JsonObject:
    return {} if number is None else {name: str(number)}


def _message_context(row: Mapping[str, Any]) -> JsonObject:
    prompt, completion = row["prompt_tokens"], row["completion_tokens"]
    context: JsonObject = {
        "ai_role_id": 2,
        "ai_role": "Assistant",
        "application": {"name": _app(row)},
        "service": {"name": row["upstream"]},
    }
    known = {"prompt_tokens": prompt, "completion_tokens": completion}
    context |= {name: count for name, count in known.items() if count is not None}
    if prompt is not None and completion is not None:
        context["total_tokens"] = prompt + completion
    return context


def _parsed(value: Any) -> Any:
    """JSON columns come as text from a record and parsed from the database."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        return orjson.loads(value)
    return value


def _milliseconds(time: float | str | datetime) -> int:
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    return int((time.timestamp() if isinstance(time, datetime) else time) * 1000)
