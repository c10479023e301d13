"""What an exchange keeps of its bodies is what its policy says, encrypted, and nothing where it says so."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any, cast

import orjson
import pytest

from detectors.types import Direction
from policies.types import Mode, Policy, StoredForm
from proxy.recording.stored_bodies import Keeping, bodies_json, keeping, kept_document, last_day
from storage.keys.data_keys import DataKey, DataKeys
from storage.keys.sealed_body import BodyForm, BodyPlace, SealedBody, unseal
from tests.proxy.conftest import MakeJudged, MakeVerdict

KEY = DataKey(7, 3, bytes(range(32)))
ID = "01890000-0000-7000-8000-000000000000"
BODY = {"messages": [{"content": "anna@example.org"}]}


class OneKey:
    """Data keys of a process that knows one, and counts who asks."""

    asked = 0

    async def live(self, tenant_id: int) -> DataKey:
        self.asked += 1
        return KEY


@pytest.mark.parametrize("store", [StoredForm.NONE, StoredForm.HASH])
async def test_where_no_body_is_kept_no_key_is_asked_for(
    make_policy: Callable[[str], Policy], store: StoredForm
) -> None:
    keys = OneKey()
    policy = replace(make_policy(""), store=store)
    assert await keeping(cast("DataKeys", keys), policy, 7, ID, 0.0) is None
    assert keys.asked == 0


async def test_a_policy_says_in_which_form_and_for_how_long(make_policy: Callable[[str], Policy]) -> None:
    policy = make_policy("audit: {store: masked, retain_bodies: 7d}")
    kept = await keeping(cast("DataKeys", OneKey()), policy, 7, ID, 86_400 * 31 - 1)
    assert kept == Keeping(ID, BodyForm.MASKED, KEY, date(1970, 2, 7))


def test_days_are_counted_in_utc() -> None:
    assert (last_day(86_399, 1), last_day(86_400, 1)) == (date(1970, 1, 2), date(1970, 1, 3))


@pytest.mark.parametrize("plain", [b"{}", b'{"a": "' + b"x" * 100_000 + b'"}'], ids=len)
async def test_what_enters_the_journal_opens_with_the_tenants_key_alone(plain: bytes) -> None:
    kept = Keeping(ID, BodyForm.ENCRYPTED, KEY, date(2026, 1, 2))
    (body,) = orjson.loads(bodies_json([await kept.sealed(Direction.RESPONSE, plain)]))
    assert (body["direction"], body["form"], body["key"], body["until"]) == ("response", "encrypted", 3, "2026-01-02")
    nonce, data = base64.b64decode(body["nonce"]), base64.b64decode(body["data"])
    place = BodyPlace(ID, "response", "encrypted")
    assert unseal(SealedBody(place, 3, nonce, data, body["cut"]), KEY) == plain


def test_an_encrypted_body_is_kept_whole(make_verdict: MakeVerdict) -> None:
    assert kept_document(BodyForm.ENCRYPTED, BODY, make_verdict(), Mode.OFF) == orjson.dumps(BODY)


def test_a_masked_body_is_kept_without_what_was_found(make_verdict: MakeVerdict, make_judged: MakeJudged) -> None:
    verdict = replace(make_verdict(), judged=(make_judged("/messages/0/content", span=(0, 16)),))
    kept = kept_document(BodyForm.MASKED, BODY, verdict, Mode.ENFORCE)
    assert kept == b'{"messages":[{"content":"[EMAIL]"}]}'


UNSEEN: dict[str, tuple[Mode, dict[str, Any]]] = {
    "mode off": (Mode.OFF, {}),
    "a detector failed": (Mode.ENFORCE, {"degraded": ("pii",)}),
    "something unscanned": (Mode.MONITOR, {"unscanned": ("media",)}),
}


@pytest.mark.parametrize(("mode", "fields"), UNSEEN.values(), ids=UNSEEN.keys())
def test_a_body_that_was_not_looked_at_whole_is_not_kept_as_masked(
    make_verdict: MakeVerdict, mode: Mode, fields: dict[str, Any]
) -> None:
    assert kept_document(BodyForm.MASKED, BODY, replace(make_verdict(), **fields), mode) is None


def test_a_body_that_cannot_be_masked_is_not_kept(make_verdict: MakeVerdict, make_judged: MakeJudged) -> None:
    verdict = replace(make_verdict(), judged=(make_judged("/elsewhere"),))
    assert kept_document(BodyForm.MASKED, BODY, verdict, Mode.ENFORCE) is None
