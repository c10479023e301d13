"""What an exchange keeps of its bodies, as its policy has it: made and encrypted in the worker, then forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import orjson

from detectors.types import Direction
from policies.types import Mode, Policy, StoredForm, Verdict
from proxy.bodies.json_document import dump
from proxy.recording.masking import UnmaskableError, masked_document
from storage.keys.data_keys import DataKey, DataKeys
from storage.keys.sealed_body import BodyForm, BodyPlace, seal

JsonObject = dict[str, Any]
_FORMS: Final = {StoredForm.MASKED: BodyForm.MASKED, StoredForm.ENCRYPTED: BodyForm.ENCRYPTED}
_AT_ONCE: Final = 64 << 10  # bytes that are sealed without leaving the event loop: under a millisecond


@dataclass(frozen=True, slots=True)
class Keeping:
    """How one exchange's bodies are kept: in which form, under which key, until when (a day, UTC)."""

    decision_id: str
    form: BodyForm
    key: DataKey
    until: date

    async def sealed(self, direction: Direction, plain: bytes) -> JsonObject:
        """Return a body as it enters the journal: an element of `DecisionRecord.bodies`."""
        place = BodyPlace(self.decision_id, direction, self.form)
        body = (
            seal(plain, place, self.key)
            if len(plain) <= _AT_ONCE
            else await asyncio.to_thread(seal, plain, place, self.key)
        )
        return dict(body.as_json(self.until))


def form_of(policy: Policy) -> BodyForm | None:
    """Return the form in which a policy keeps bodies, None if it keeps none or only their hashes."""
    return _FORMS.get(policy.store)


async def keeping(
    data_keys: DataKeys, policy: Policy, tenant_id: int, decision_id: str, opened_at: float
) -> Keeping | None:
    """Return how this exchange's bodies are kept, or None if its policy keeps none: then this costs nothing.

    `opened_at` is epoch seconds. Raises StorageError if a key cannot be had.
    """
    form = form_of(policy)
    if form is None:
        return None
    key = await data_keys.live(tenant_id)
    return Keeping(decision_id, form, key, last_day(opened_at, policy.retain_bodies_days))


def last_day(opened_at: float, days: int) -> date:
    """Return the last day (UTC) on which a body is kept that was opened at `opened_at` (epoch seconds)."""
    return datetime.fromtimestamp(opened_at, UTC).date() + timedelta(days)


def kept_document(form: BodyForm, document: Any, verdict: Verdict, mode: Mode) -> bytes | None:
    """Return what is kept of a walked body, as it was scanned: call it before the verdict's edits are carried out.

    None where a masked form would be none: nobody looked, or something could not be looked at or has no place.
    """
    if form is BodyForm.ENCRYPTED:
        return dump(document)
    if not is_maskable(verdict, mode):
        return None
    try:
        return dump(masked_document(document, verdict.found))
    except UnmaskableError:
        return None


def is_maskable(verdict: Verdict, mode: Mode) -> bool:
    """Tell whether everything was looked at, so that what was not found is not there."""
    return mode is not Mode.OFF and not verdict.degraded and not verdict.unscanned


def bodies_json(bodies: Iterable[JsonObject]) -> str:
    """Return sealed bodies as `DecisionRecord.bodies`."""
    return orjson.dumps(list(bodies)).decode()
