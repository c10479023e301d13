"""The review queue: what policies stopped and a person is to look at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from detectors.errors import OperationError, StorageError, UnavailableError
from proxy.control.access.types import Permission
from proxy.control.answers.reviews import Rejection, Release, ReviewList, ReviewQuery, ShownReview
from proxy.control.operations import Call, Operation, not_found
from storage.reviews import Review, ReviewQueue, ReviewStatus

_ALL: Final = "/api/v1/reviews"
_ONE: Final = f"{_ALL}/{{decision}}"


async def _list(call: Call) -> ReviewList:
    query = call.asked(ReviewQuery)
    status = None if query.status is None else ReviewStatus(query.status)
    try:
        found = await _queue(call).page(call.tenant_id, status, query.limit + 1, query.after)
    except UnavailableError:
        raise
    except StorageError as exc:
        raise OperationError(422, "invalid_field", "must be the `next` of an earlier answer", "after") from exc
    items = [_shown(review) for review in found[: query.limit]]
    return ReviewList(items=items, next=items[-1].id if len(found) > query.limit else None)


async def _read(call: Call) -> ShownReview:
    return _shown(await _find(call))


async def _release(call: Call) -> ShownReview:
    sent, review = call.sent(Release), await _find(call)
    if not review.findings:
        problem = "This decision says nothing of what stopped it: nothing can be let pass."
        raise OperationError(409, "refused", problem)
    until = datetime.now(UTC).date() + timedelta(days=sent.days)
    await _queue(call).release(review.id, actor=call.principal.name, reason=sent.reason, until=until)
    return await _decided(call, review, {"released_until": until.isoformat(), "reason": sent.reason})


async def _reject(call: Call) -> ShownReview:
    sent, review = call.sent(Rejection), await _find(call)
    await _queue(call).reject(review.id, actor=call.principal.name, reason=sent.reason)
    return await _decided(call, review, {"reason": sent.reason})


async def _decided(call: Call, before: Review, more: dict[str, Any]) -> ShownReview:
    after = await _find(call)
    await call.concerns(before.tenant_id)
    call.note(before.id, before={"status": before.status}, after={"status": after.status, **more})
    return _shown(after)


async def _find(call: Call) -> Review:
    try:
        found = await _queue(call).find(call.names["decision"], call.tenant_id)
    except UnavailableError:
        raise
    except StorageError as exc:  # no id
        raise not_found() from exc
    if found is None:
        raise not_found()
    return found


def _queue(call: Call) -> ReviewQueue:
    return ReviewQueue(call.parts.database)


def _shown(review: Review) -> ShownReview:
    return ShownReview(
        id=review.id,
        tenant=review.tenant,
        opened_at=review.opened_at,
        policy=review.policy_id,
        policy_revision=review.policy_revision,
        findings=[dict(finding) for finding in review.findings],
        status=review.status.value,
        decided_by=review.decided_by,
        reason=review.reason,
        released_until=review.released_until,
        until=review.until,
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "listReviews", "GET", _ALL, Permission.REVIEWS_READ, "List reviews, the longest waiting first.", ReviewList,
        _list, query=ReviewQuery,
    ),
    Operation("readReview", "GET", _ONE, Permission.REVIEWS_READ, "Show a review.", ShownReview, _read),
    Operation(
        "releaseReview", "POST", f"{_ONE}/release", Permission.REVIEWS_WRITE,
        "Let what was stopped pass for a while, for its tenant and in that very text.", ShownReview, _release,
        body=Release,
    ),
    Operation(
        "rejectReview", "POST", f"{_ONE}/reject", Permission.REVIEWS_WRITE, "Say that the policy was right.",
        ShownReview, _reject, body=Rejection,
    ),
)  # fmt: skip
