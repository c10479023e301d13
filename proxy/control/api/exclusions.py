"""Exclusions in force, and drafts of policies that have one more."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

from detectors.errors import OperationError
from policies.patching import with_item
from policies.types import Exclusion
from proxy.control.access.types import Permission
from proxy.control.answers.exclusions import (
    ExclusionDraft,
    ExclusionList,
    ExclusionQuery,
    FalsePositive,
    NewExclusion,
    ShownExclusion,
)
from proxy.control.api.decisions import row_of
from proxy.control.fields import Page
from proxy.control.operations import Call, Operation
from proxy.control.paging import number_after
from proxy.control.policy_desk import PolicyPlace, own_file, place_named, save_draft, signatures_of, text_in_force
from proxy.false_positives import Excuse, mark, patched
from proxy.held_policies import library_of
from storage.reviews import ReviewQueue

_ALL: Final = "/api/v1/tenants/{tenant}/exclusions"
_SOON: Final = timedelta(days=14)
_LONGEST: Final = timedelta(days=366)


async def _list(call: Call) -> ExclusionList:
    query = call.asked(ExclusionQuery)
    await call.parts.policies.reload()
    found = [*_of_policies(call, query.app), *await _of_reviews(call)]
    first = number_after(Page(limit=query.limit, after=query.after))
    items = found[first : first + query.limit]
    more = len(found) > first + query.limit
    return ExclusionList(items=items, next=str(first + query.limit) if more else None)


def _of_policies(call: Call, app: str | None) -> Iterator[ShownExclusion]:
    """Those of the policies that decide for the tenant; one that several inherit is told of each."""
    slug, policies = call.the_tenant().slug, call.parts.policies
    names = [slug, *sorted(name for name in policies.policies if name.startswith(f"{slug}/"))]
    for name in names if app is None else [f"{slug}/{app}" if f"{slug}/{app}" in policies.policies else slug]:
        policy = policies.nearest(slug, name.partition("/")[2])
        for exclusion in policy.exclusions:
            yield _shown(exclusion, policy.id)


async def _of_reviews(call: Call) -> list[ShownExclusion]:
    released = await ReviewQueue(call.parts.database).released()
    return [
        _shown(Exclusion(one.rule, None, one.content, one.until, one.owner, one.reason), "review")
        for one in released
        if one.tenant_id == call.the_tenant().id
    ]


async def _add(call: Call) -> ExclusionDraft:
    new = call.sent(NewExclusion)
    if new.origin is None and new.content is None:
        raise OperationError(
            422, "invalid_field", "Give an origin or a content: nothing is excused everywhere.", "content"
        )
    _insist_on_end(new.until)
    place = await place_named(call, new.app)
    before = await text_in_force(call.parts, place)
    item = {
        "rule": new.rule,
        **({} if new.origin is None else {"origin": new.origin}),
        **({} if new.content is None else {"content": new.content}),
        "until": new.until.isoformat(),
        "owner": new.owner or call.principal.name,
        "reason": new.reason,
    }
    after = with_item(before, own_file(call.parts, place), "exclusions", item)
    return await _drafted(call, place, before, after, new.reason)


async def _mark(call: Call) -> ExclusionDraft:
    sent = call.sent(FalsePositive)
    _insist_on_end(sent.until)
    row = await row_of(call)
    await call.concerns(row["tenant_id"])
    content_key = call.parts.house_keys.tenant_content_key(row["tenant_id"])
    marked = mark(row, sent.rule, sent.text, content_key)
    slug, _, app = row["policy_id"].partition("/")
    if slug != call.the_tenant().slug:  # the default decided: the tenant gets a policy of its own
        app = ""
    place = await place_named(call, app or None)
    before = await text_in_force(call.parts, place)
    excuse = Excuse(sent.owner or call.principal.name, sent.reason, sent.until)
    library, named = library_of(call.parts.settings), (place.name, own_file(call.parts, place))
    added = signatures_of(call.parts, place)
    after = await patched(before, named, marked, excuse, call.parts.detection, library, added)
    return await _drafted(call, place, before, after, f"{sent.reason} ({row['id']})")


async def _drafted(call: Call, place: PolicyPlace, before: str, after: str, reason: str) -> ExclusionDraft:
    number, loaded = await save_draft(call, place, after, reason)
    call.note(place.name, after={"version": number, "reason": reason})
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), place.name, place.name
    )
    return ExclusionDraft(
        policy=place.name, version=number, revision=loaded.policy.revision, content=after, difference="".join(lines)
    )


def _insist_on_end(until: date) -> None:
    today = datetime.now(UTC).date()
    if not today <= until <= today + _LONGEST:
        raise OperationError(422, "invalid_field", "must be a day from today on, within a year", "until")


def _shown(exclusion: Exclusion, source: str) -> ShownExclusion:
    return ShownExclusion(
        source=source,
        rule=exclusion.rule,
        origin=None if exclusion.origin is None else str(exclusion.origin),
        content=None if exclusion.content is None else f"hmac:{exclusion.content}",
        until=exclusion.until,
        owner=exclusion.owner,
        reason=exclusion.reason,
        state=_state(exclusion.until),
    )


def _state(until: date) -> Literal["live", "ends_soon", "ended"]:
    left = until - datetime.now(UTC).date()
    return "ended" if left < timedelta(0) else "ends_soon" if left <= _SOON else "live"


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "listExclusions", "GET", _ALL, Permission.EXCLUSIONS_READ,
        "List what is excused: by policies, and by releases after a review.", ExclusionList, _list,
        query=ExclusionQuery,
    ),
    Operation(
        "addExclusion", "POST", _ALL, Permission.EXCLUSIONS_WRITE,
        "Save a draft of a policy that has one more exclusion.", ExclusionDraft, _add, 201, NewExclusion,
    ),
    Operation(
        "markFalsePositive", "POST", "/api/v1/decisions/{decision}/false-positive", Permission.EXCLUSIONS_WRITE,
        "Save a draft of the policy that excuses what a decision found in its text, with a test of that.",
        ExclusionDraft, _mark, 201, FalsePositive,
    ),
)  # fmt: skip
