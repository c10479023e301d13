"""What of judges' calls goes into a decision's receipt: who was asked, how that ended, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from detectors.judges.types import Call
from storage.chains.canonical import canonical_json

_MOST: Final = 16


def judges_json(calls: Sequence[Call]) -> str:
    """Return the calls as canonical JSON: sums over all, the first sixteen by themselves. No judge's words."""
    document: dict[str, Any] = {
        "calls": len(calls),
        "cost_micro_usd": sum(call.cost for call in calls),
        "asked": [_entry(call) for call in calls[:_MOST]],
    }
    return canonical_json(document)


def _entry(call: Call) -> dict[str, Any]:
    entry: dict[str, Any] = {"judge": call.judge, "result": str(call.result), "ms": round(call.seconds * 1000)}
    if call.cost:
        entry["cost_micro_usd"] = call.cost
    if call.ruling is not None:
        entry["category"] = str(call.ruling.category or "none")
        entry["confidence"] = call.ruling.confidence
    if call.shadow:
        entry["shadow"] = True
    return entry
