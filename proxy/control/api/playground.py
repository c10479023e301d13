"""A text tried on the policy of a tenant's app: what is read, found and decided. Nothing is sent, nothing kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import orjson

from detectors.chain import Inspection, InspectionOptions
from detectors.errors import EdgeError, OperationError
from detectors.types import Direction, InspectionContext, Origin, Segment
from policies.explanation import Explanation, Step, as_document, explain
from policies.testing import text_segment
from policies.types import ActionName, Facts, Policy, Pseudonym
from proxy.bodies.pointer import UneditableError, edit_text
from proxy.control.access.types import Permission
from proxy.control.answers.playground import ShownView, Trial, TrialReport
from proxy.control.operations import Call, Operation
from proxy.control.policy_desk import PolicyPlace, load, patience

_MOST_VIEWS: Final = 64
_SHOWN: Final = 4000  # characters of a view


async def _try(call: Call) -> TrialReport:
    trial, tenant, parts = call.sent(Trial), call.the_tenant(), call.parts
    started = time.perf_counter()
    policy = await _policy(call, trial)
    segment = text_segment(trial.text, Origin(trial.origin), Direction(trial.direction))
    facts = Facts(at=time.time(), tenant=tenant.slug, app=trial.app, model=trial.model)
    aside = parts.screen.aside.for_reading([segment])
    options = InspectionOptions(
        InspectionContext(lexicon=parts.screen.lexicon(policy, tenant.slug, tenant.id)),
        parts.house_keys.tenant_content_key(tenant.id),
        aside=aside,
    )
    async with patience(parts):
        inspection: Inspection = await parts.detection.chain.inspect([segment], options)
    told = explain(policy, inspection, facts, parts.detection.chain.revision, parts.detection.actions)
    return TrialReport(
        policy=policy.id,
        policy_revision=policy.revision,
        mode=str(policy.mode),
        action=str(told.verdict.action),
        intended_action=str(told.verdict.intended_action),
        stops=told.verdict.effect.stop,
        why=list(_words(told)),
        views=_views(call, segment),
        explanation=_plain(as_document(told)),
        sent=None if told.verdict.effect.stop else _carried_out(trial.text, told),
        milliseconds=round((time.perf_counter() - started) * 1000, 3),
    )


async def _policy(call: Call, trial: Trial) -> Policy:
    slug = call.the_tenant().slug
    if trial.policy is not None:
        return (await load(call.parts, PolicyPlace(slug, None), trial.policy)).policy
    try:
        return call.parts.policies.policy_for(slug, trial.app)
    except EdgeError as exc:
        raise OperationError(409, exc.code, exc.message) from exc


def _carried_out(text: str, told: Explanation) -> str | None:
    """Return the text with its edits, `[EMAIL_*]` in the place of whatever pseudonym it would get."""
    edits = [
        replace(edit, replacement=f"[{edit.replacement.kind}_*]") if isinstance(edit.replacement, Pseudonym) else edit
        for edit in told.verdict.effect.edits
    ]
    try:
        return edit_text(text, edits)
    except UneditableError:  # the data plane would stop it
        return None


def _words(told: Explanation) -> Iterator[str]:
    policy, verdict = told.policy, told.verdict
    enforced = "" if verdict.action is verdict.intended_action else f"; in mode {policy.mode} that is {verdict.action}"
    yield f"By policy {policy.id}@{policy.revision} ({policy.mode}) the action is {verdict.intended_action}{enforced}."
    for reason in verdict.unscanned:
        yield f"Nobody could look at all of it ({reason}): the policy says {policy.unscanned[reason]}."
    for detector in verdict.degraded:
        yield f"Detector {detector} could not look; failure_mode is {policy.failure_mode}."
    if not told.steps:
        yield "Nothing was found."
    for step in told.steps:
        yield _step_words(step)


def _step_words(step: Step) -> str:
    hit, segment = step.finding.hit, step.finding.segment
    read = "+".join(hit.transforms) or "as it is"
    claim = f"{hit.rule_id} ({step.finding.detector}) claims {hit.category} with {hit.confidence:.2f}, read {read}"
    excuse = next((one for one in step.excuses if not one.unmet), None)
    if excuse is not None:
        return f"{claim}: an exclusion of {excuse.owner} excuses it until {excuse.until}."
    if step.action is ActionName.ALLOW:
        return f"{claim}, written by {segment.origin}: no rule of the policy asks for anything."
    return f"{claim}, written by {segment.origin}: rule '{step.decided_by}' asks for {step.action}."


def _views(call: Call, segment: Segment) -> list[ShownView]:
    views = call.parts.detection.views.build(segment).views[:_MOST_VIEWS]
    return [
        ShownView(transforms=list(view.transforms), text=view.text[:_SHOWN], cut=len(view.text) > _SHOWN)
        for view in views
    ]


def _plain(document: Any) -> dict[str, Any]:
    """Return it as JSON has it: enums as words, tuples as lists."""
    plain: dict[str, Any] = orjson.loads(orjson.dumps(document))
    return plain


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "tryText", "POST", "/api/v1/tenants/{tenant}/playground", Permission.POLICIES_READ,
        "Try a text on the policy of an app, or on a draft.", TrialReport, _try, body=Trial, noted=False,
    ),
)  # fmt: skip
