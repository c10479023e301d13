"""Why a recorded decision is what it is, in sentences and in order, out of its row alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Row = Mapping[str, Any]


def why(row: Row) -> tuple[str, ...]:
    """Return the sentences. They hold no text of anybody: rules, places, numbers."""
    return tuple(_sentences(row))


def _sentences(row: Row) -> Iterator[str]:
    yield _opening(row)
    if row["error_code"]:
        where = f" in {row['error_stage']}" if row["error_stage"] else ""
        yield f"It ended with {row['error_code']}{where}."
    for score in row["scores"]:
        yield score_words(score)
    if not row["scores"]:
        yield "Nothing was found."
    if row["scores_overflow"]:
        yield "There were more findings than a row keeps: these are the surest."
    yield from _gaps(row)
    yield from _facts(row["facts"])


def _opening(row: Row) -> str:
    policy = f"policy {row['policy_id']}@{row['policy_revision']}" if row["policy_id"] else "no policy"
    if not row["policy_id"]:
        return f"It was {row['outcome']} before a policy was asked."
    enforced = "" if row["action"] == row["intended_action"] else f"; in mode {row['mode']} that was {row['action']}"
    return f"By {policy} ({row['mode']}) the action is {row['intended_action']}{enforced}."


def score_words(score: Mapping[str, Any]) -> str:
    """Say what was claimed of one place, and what the policy made of it."""
    times = f", {score['count']} times" if score.get("count", 1) > 1 else ""
    place = f" at {score['pointer']}" if score.get("pointer") else ""
    claim = f"{score['rule']} ({score['detector']}) claims {score['category']} with {score['confidence']:.2f}"
    where = f"in the {score['direction']}, written by {score['origin']}{place}{times}"
    if score.get("excused"):
        return f"{claim} {where}: an exclusion excuses it."
    if not score.get("policy_rule"):
        return f"{claim} {where}: no rule of the policy asks for anything."
    return f"{claim} {where}: rule '{score['policy_rule']}' asks for {score['action']}."


def _gaps(row: Row) -> Iterator[str]:
    for direction in ("request", "response"):
        receipt = row["coverage"].get(direction, {})
        for reason, count in receipt.get("unscanned", {}).items():
            yield f"Nobody could look at {count} texts of the {direction}: {reason}."
    for detector in row["degraded"]:
        yield f"Detector {detector} could not look; the policy's failure_mode decided."


def _facts(facts: Mapping[str, Any]) -> Iterator[str]:
    if facts.get("skipped"):
        yield f"Not asked, because what was found had decided it: {', '.join(facts['skipped'])}."
    if facts.get("asked_model"):
        yield f"The client asked for the model {facts['asked_model']}; the policy sent it elsewhere."
    for direction, other in facts.get("candidate", {}).items():
        by = f" by rule '{other['rule']}'" if other["rule"] else ""
        yield f"The candidate {other['revision']} would have said {other['action']}{by} of the {direction}."
    if facts.get("review"):
        yield f"It waits for a person in the review queue until {facts['review']['until']}."
