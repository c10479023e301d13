"""The decision log: searched, one decision with its why, and what is stored of it."""

from __future__ import annotations

from typing import Any, Final

from detectors.errors import OperationError, StorageError, UnavailableError
from proxy.control.access.types import Permission
from proxy.control.answers.decisions import (
    BodyList,
    DecisionDetail,
    DecisionList,
    DecisionQuery,
    NewLabel,
    ShownBody,
    ShownCoverage,
    ShownDecision,
    ShownFinding,
    ShownLabel,
)
from proxy.control.decision_words import score_words, why
from proxy.control.fields import Done
from proxy.control.operations import Call, Operation, not_found
from storage.decisions.bodies import read_bodies_of_tenant
from storage.decisions.conditions import DecisionFilter
from storage.decisions.decisions import DecisionReader, JsonObject
from storage.decisions.labels import Labels
from storage.decisions.search import DecisionSearch

_ALL: Final = "/api/v1/decisions"
_ONE: Final = f"{_ALL}/{{decision}}"


async def _search(call: Call) -> DecisionList:
    query = call.asked(DecisionQuery)
    if query.since is not None and query.until is not None and query.since >= query.until:
        raise OperationError(422, "invalid_field", "must lie before `until`", "since")
    wanted = DecisionFilter(
        query.since, query.until, None, query.app, query.action, query.outcome, query.category, query.rule,
        query.content, query.model, query.request_id, query.key, query.policy,
    )  # fmt: skip
    try:
        page = await DecisionSearch(call.parts.database, call.tenant_id).page(wanted, query.limit, query.after)
    except UnavailableError:
        raise
    except StorageError as exc:  # of what was asked only the app and the cursor can be wrong by now
        if str(exc).startswith("there is no app"):
            raise OperationError(422, "invalid_field", "There is no app of this name.", "app") from exc
        if str(exc).startswith("the cursor"):
            raise OperationError(
                422, "invalid_field", "must be the `next` of this search's last answer", "after"
            ) from exc
        raise
    return DecisionList(items=[shown_decision(row) for row in page.rows], next=page.cursor)


async def _read(call: Call) -> DecisionDetail:
    row = await row_of(call)
    sorted_names = ("request", "response", "judges")
    coverage = [
        ShownCoverage(direction=name, receipt=_as_object(row["coverage"][name]))
        for name in sorted_names
        if name in row["coverage"]
    ]
    as_they_are = (
        "facts", "digests", "personal", "error_code", "error_stage", "request_action", "response_action",
        "policy_revision", "ruleset_revision", "provider_saw_prompt", "instance", "worker", "via", "upstream_ms",
        "closed_at", "seq",
    )  # fmt: skip
    return DecisionDetail(
        decision=shown_decision(row),
        why=list(why(row)),
        findings=[_finding(score) for score in row["scores"]],
        findings_overflow=row["scores_overflow"],
        coverage=coverage,
        policy=row["policy_id"],
        hash=None if row["hash"] is None else row["hash"].hex(),
        label=await _label_of(call, row),
        **{name: row[name] for name in as_they_are},
    )


async def _label_of(call: Call, row: JsonObject) -> ShownLabel | None:
    found = await Labels(call.parts.database).find(row["tenant_id"], row["id"])
    if found is None:
        return None
    return ShownLabel(label="attack" if found.attack else "benign", made_by=found.made_by, made_at=found.made_at)


async def _label(call: Call) -> Done:
    row, said = await row_of(call), call.sent(NewLabel).label
    await call.concerns(row["tenant_id"])
    labels, before = Labels(call.parts.database), await _label_of(call, row)
    if said == "none":
        await labels.take_back(row["tenant_id"], row["id"])
    else:
        await labels.say(row["tenant_id"], row["id"], attack=said == "attack", by=call.principal.name)
    call.note(row["id"], before={"label": before.label if before else "none"}, after={"label": said})
    return Done()


async def _bodies(call: Call) -> BodyList:
    row = await row_of(call)
    await call.concerns(row["tenant_id"])
    call.note(row["id"], after={"read": "bodies"})
    # Of the tenant of the row, which the caller has been held to.
    bodies = await read_bodies_of_tenant(
        call.parts.database, call.parts.data_keys, row["tenant_id"], [row["id"]], actor=call.principal.name,
        reason="api",
    )  # fmt: skip
    items = [
        ShownBody(direction=body.direction, form=body.form, cut=body.cut, text=body.text, problem=body.problem)
        for body in bodies
    ]
    return BodyList(items=items, next=None)


async def row_of(call: Call) -> JsonObject:
    """Return the row of the decision in the path. Raises OperationError 404, also for another tenant's."""
    try:
        row = await DecisionReader(call.parts.database).show(call.names["decision"], call.tenant_id)
    except UnavailableError:
        raise
    except StorageError as exc:
        raise not_found() from exc
    if row is None or call.tenant_id not in {None, row["tenant_id"]}:
        raise not_found()
    return row


def shown_decision(row: JsonObject) -> ShownDecision:
    as_they_are = {name: row[name] for name in ShownDecision.model_fields if name in row}
    rules = list(dict.fromkeys(score["rule"] for score in row["scores"]))
    return ShownDecision(**(as_they_are | {"rules": rules, "cost_usd": dollars(_micros(row))}))


def dollars(micros: int | None) -> float | None:
    """Return millionths of a dollar in dollars."""
    return None if micros is None else micros / 1_000_000


def _micros(row: JsonObject) -> int | None:
    spent = row["facts"].get("spent")
    micros = spent.get("micros") if isinstance(spent, dict) else None
    return micros if isinstance(micros, int) else None


def _finding(score: dict[str, Any]) -> ShownFinding:
    kept = {"kind": "", "severity": "", "content": "", "count": 1, "pointer": "", "policy_rule": "", "action": ""}
    known = {name: score[name] for name in ShownFinding.model_fields if name in score}
    return ShownFinding(**(kept | known | {"words": score_words(score)}))


def _as_object(receipt: Any) -> dict[str, Any]:
    return receipt if isinstance(receipt, dict) else {"calls": receipt}


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "searchDecisions", "GET", _ALL, Permission.DECISIONS_READ, "Find decisions, newest first.", DecisionList,
        _search, query=DecisionQuery,
    ),
    Operation(
        "readDecision", "GET", _ONE, Permission.DECISIONS_READ, "Show a decision and why it is what it is.",
        DecisionDetail, _read,
    ),
    Operation(
        "labelDecision", "POST", f"{_ONE}/label", Permission.REVIEWS_WRITE,
        "Say whether a decision's request was an attack, for its tenant's head to learn from.", Done, _label,
        body=NewLabel,
    ),
    Operation(
        "readDecisionBodies", "GET", f"{_ONE}/bodies", Permission.BODIES_READ,
        "Show what is stored of an exchange's texts; the admin audit notes who looked.", BodyList, _bodies, noted=True,
    ),
)  # fmt: skip
