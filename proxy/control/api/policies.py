"""Policies of a tenant: those in force, their text, and versions of the database put in force."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from detectors.errors import OperationError
from policies.candidates import is_live
from policies.promotion import parse_conditions
from policies.remarks import remarks
from policies.types import Policy
from proxy.control.access.types import Permission
from proxy.control.answers.policies import (
    Activation,
    NewDraft,
    PolicyList,
    ReadPolicy,
    Rollback,
    ShownCandidate,
    ShownPolicy,
    ShownVersion,
    VersionList,
    VersionText,
)
from proxy.control.answers.tenants import Why
from proxy.control.fields import Page
from proxy.control.operations import Call, Operation
from proxy.control.paging import next_after, number_after
from proxy.control.policy_desk import (
    OWN,
    PolicyPlace,
    held_version,
    in_force,
    load,
    own_file,
    place_of,
    refuse_files,
    save_draft,
    text_in_force,
    version_of,
    without_folders,
)
from proxy.control.policy_trials import replayed
from storage.policy_versions import PolicyVersion, PolicyVersions

_ALL: Final = "/api/v1/tenants/{tenant}/policies"
ONE: Final = f"{_ALL}/{{app}}"
_BEYOND: Final = 2**31 - 1
_VERSIONS: Final = f"{ONE}/versions"


async def _list(call: Call) -> PolicyList:
    page, slug = call.asked(Page), call.the_tenant().slug
    await call.parts.policies.reload()
    places = list(_places(call, slug))
    first = number_after(page)
    items = [await _shown(call, place) for place in places[first : first + page.limit]]
    more = len(places) > first + page.limit
    return PolicyList(items=items, next=str(first + page.limit) if more else None)


def _places(call: Call, slug: str) -> Iterator[PolicyPlace]:
    """The tenant's own first, whether it has one or the default counts; then those of apps."""
    yield PolicyPlace(slug, None)
    known = {*call.parts.policies.policies, *call.parts.policies.failures}
    for name in sorted(known):
        if name.startswith(f"{slug}/"):
            yield PolicyPlace(slug, name.partition("/")[2])


async def _read(call: Call) -> ReadPolicy:
    place = await place_of(call)
    await call.parts.policies.reload()
    return ReadPolicy(policy=await _shown(call, place), content=await text_in_force(call.parts, place))


async def _save(call: Call) -> VersionText:
    place, draft = await place_of(call), call.sent(NewDraft)
    number, loaded = await save_draft(call, place, draft.content, draft.reason)
    call.note(place.name, after={"version": number, "revision": loaded.policy.revision, "reason": draft.reason})
    return _version_text(await version_of(call.parts, place, number))


async def _versions(call: Call) -> VersionList:
    page, place = call.asked(Page), await place_of(call)
    last = min(number_after(page, _BEYOND), _BEYOND)
    found = await PolicyVersions(call.parts.database).page(place.name, last, page.limit + 1)
    items = [_shown_version(one) for one in found[: page.limit]]
    return VersionList(items=items, next=next_after(found, page, lambda one: one.version))


async def _version(call: Call) -> VersionText:
    return _version_text(await version_of(call.parts, await place_of(call), call.number("version")))


async def _approve(call: Call) -> ShownVersion:
    if call.principal.kind == "service_account":
        raise OperationError(403, "not_allowed", "A second person has to approve, not a service account.")
    place, number = await place_of(call), call.number("version")
    await version_of(call.parts, place, number)
    await PolicyVersions(call.parts.database).approve(place.name, number, call.principal.name)
    call.note(place.name, after={"version": number, "approved_by": call.principal.name})
    return _shown_version(await version_of(call.parts, place, number))


async def _activate(call: Call) -> ShownVersion:
    place, wanted = await place_of(call), call.sent(Activation)
    version = await version_of(call.parts, place, call.number("version"))
    refuse_files(call.parts, place)
    loaded = await load(call.parts, place, version.content)  # what it extends may have changed since it was saved
    await _hold(call, place, loaded.policy, wanted)
    return await _put_in_force(call, place, version, wanted.reason)


async def _hold(call: Call, place: PolicyPlace, policy: Policy, wanted: Activation) -> None:
    """Raises OperationError 409 where a condition on a replay does not hold, or where there is nothing to judge by."""
    if wanted.condition is None:
        return
    try:
        conditions = parse_conditions(wanted.condition)
    except ValueError as exc:
        raise OperationError(422, "invalid_field", str(exc), "condition") from exc
    tally = await replayed(call, place, policy, wanted.days)
    if not tally.judged:
        raise OperationError(409, "condition_failed", "There is no recorded traffic to judge by.", "condition")
    for condition in conditions:
        if not condition.holds(tally):
            told = f"{condition.source} does not hold: {condition.value(tally):.4g}{'%' if condition.percent else ''}"
            raise OperationError(409, "condition_failed", told, "condition")


async def _roll_back(call: Call) -> ShownVersion:
    place, wanted = await place_of(call), call.sent(Rollback)
    if wanted.to is not None:
        await version_of(call.parts, place, wanted.to)
    number = await PolicyVersions(call.parts.database).way_back(place.name, wanted.to)
    version = await version_of(call.parts, place, number)
    refuse_files(call.parts, place)
    await load(call.parts, place, version.content)  # workers would go on with what is to be undone
    return await _put_in_force(call, place, version, wanted.reason, wanted.undo)


async def _withdraw(call: Call) -> ShownPolicy:
    if call.parts.settings.four_eyes:  # nobody could agree with it, and what counts then may be milder
        problem = "Nobody withdraws a policy alone: put another version in force, or have it done at the command line."
        raise OperationError(409, "four_eyes", problem)
    place, reason = await place_of(call), call.sent(Why).reason
    before = await held_version(call.parts, place)
    if before is None:
        raise OperationError(409, "refused", "The database holds no version of this policy that is in force.")
    await PolicyVersions(call.parts.database).activate(place.name, None, call.principal.name, reason, four_eyes=False)
    call.note(place.name, before={"version": before.version}, after={"version": None, "reason": reason})
    return await _shown(call, place)


async def _put_in_force(
    call: Call, place: PolicyPlace, version: PolicyVersion, reason: str, instead_of: int | None = None
) -> ShownVersion:
    before = await held_version(call.parts, place)
    four_eyes = call.parts.settings.four_eyes
    await PolicyVersions(call.parts.database).activate(
        place.name, version.version, call.principal.name, reason, four_eyes=four_eyes, instead_of=instead_of
    )
    was = None if before is None else before.version
    call.note(place.name, before={"version": was}, after={"version": version.version, "reason": reason})
    return _shown_version(await version_of(call.parts, place, version.version))


async def _shown(call: Call, place: PolicyPlace) -> ShownPolicy:
    parts, policy = call.parts, in_force(call.parts, place)
    own = place.name in parts.policies.policies
    held = await held_version(parts, place)
    problem = parts.policies.failures.get(place.name)
    file = own_file(parts, place)
    moment = datetime.now(UTC)
    candidate = policy.candidate
    live = candidate is not None and is_live(candidate, moment.timestamp())
    return ShownPolicy(
        name=place.name,
        app=place.app or OWN,
        source="database" if held is not None else "file" if file.is_file() else "default",
        revision=policy.revision,
        mode=str(policy.mode),
        version=held.version if held is not None and own else None,
        rules=len(policy.rules),
        exclusions=len(policy.exclusions),
        problem=None if problem is None else without_folders(call.parts, problem),
        remarks=list(remarks(policy, moment.date())),
        candidate=ShownCandidate(
            revision=candidate.policy.revision,
            until=candidate.until,
            sample=candidate.sample,
            rollout=candidate.rollout,
        )
        if candidate is not None and live
        else None,
    )


def _shown_version(version: PolicyVersion) -> ShownVersion:
    return ShownVersion.model_validate(version, from_attributes=True)


def _version_text(version: PolicyVersion) -> VersionText:
    return VersionText(version=_shown_version(version), content=version.content)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "listPolicies", "GET", _ALL, Permission.POLICIES_READ, "List the policies that decide for a tenant.",
        PolicyList, _list, query=Page,
    ),
    Operation(
        "readPolicy", "GET", ONE, Permission.POLICIES_READ,
        "Show a policy and its text. The app is `_` for the tenant's own.", ReadPolicy, _read,
    ),
    Operation(
        "savePolicyDraft", "POST", _VERSIONS, Permission.POLICIES_WRITE,
        "Keep a policy that loads and passes its tests as a new version; it is not yet in force.", VersionText, _save,
        201, NewDraft,
    ),
    Operation(
        "listPolicyVersions", "GET", _VERSIONS, Permission.POLICIES_READ, "List the versions, newest first.",
        VersionList, _versions, query=Page,
    ),
    Operation(
        "readPolicyVersion", "GET", f"{_VERSIONS}/{{version}}", Permission.POLICIES_READ, "Show a version's text.",
        VersionText, _version,
    ),
    Operation(
        "approvePolicyVersion", "POST", f"{_VERSIONS}/{{version}}/approve", Permission.POLICIES_ACTIVATE,
        "Agree with somebody else's version.", ShownVersion, _approve,
    ),
    Operation(
        "activatePolicyVersion", "POST", f"{_VERSIONS}/{{version}}/activate", Permission.POLICIES_ACTIVATE,
        "Put a version in force on every instance.", ShownVersion, _activate, body=Activation,
    ),
    Operation(
        "rollBackPolicy", "POST", f"{ONE}/rollback", Permission.POLICIES_ACTIVATE,
        "Put a version in force again that was so before.", ShownVersion, _roll_back, body=Rollback,
    ),
    Operation(
        "withdrawPolicy", "POST", f"{ONE}/withdraw", Permission.POLICIES_ACTIVATE,
        "Take a policy out of the database's hands: a file of that name counts, or the default.", ShownPolicy,
        _withdraw, body=Why,
    ),
)  # fmt: skip
