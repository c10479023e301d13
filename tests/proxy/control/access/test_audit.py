"""The record: who, what, before, after, from where; never a secret, never two lines."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.control.access.audit import cleaned, note, record
from proxy.control.access.types import AdminRole, Principal
from storage.accounts.admin_audit import Sought
from storage.types import Tenant
from tests.proxy.control.access.conftest import PASSWORD, Browser, Plane, sign_in

pytestmark = pytest.mark.slow  # a database of their own


async def test_an_action_is_recorded_with_who_what_and_where(plane: Plane, tenant: Tenant) -> None:
    anna = Principal("user", 1, "anna", AdminRole.TENANT_ADMIN, tenant.id, tenant.slug, frozenset(), "192.0.2.7", "s1")
    await record(
        plane.access,
        anna,
        "keys.revoke",
        tenant_id=tenant.id,
        target="acme/7",
        before={"state": "live"},
        after={"n": 0},
    )
    (event,) = await plane.access.audit.list(Sought(tenant.id))
    assert (event.actor, event.action, event.target) == ("user:anna", "keys.revoke", "acme/7")
    assert event.details == {
        "before": {"state": "live"}, "after": {"n": 0}, "network": "192.0.2.7", "session": "s1"
    }  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        {"password": "hunter2"}, {"new_password": "hunter2"}, {"client_secret": "hunter2"}, {"secret": ["hunter2"]},
        {"nested": {"api": [{"access_token": "hunter2"}]}}, {"Refresh_Token": "hunter2"}, {"totp": "hunter2"},
        {"recovery_codes": ["hunter2"]}, {"hash": "hunter2"}, {"credential": {"key": "hunter2"}},
        {"private_key": "hunter2"},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_called_like_a_secret_is_left_out(value: dict[str, Any]) -> None:
    assert "hunter2" not in str(cleaned(value))


def test_what_is_no_secret_stays() -> None:
    plain = {"role": "analyst", "must_change_password": True, "tokens": 5, "items": [1, None, "x"], "keys": "all"}
    assert cleaned(plain) == plain


def test_depth_and_length_are_bounded() -> None:
    deep: Any = "x"
    for _ in range(100):
        deep = {"a": [deep]}
    assert len(str(cleaned(deep))) < 1000
    assert len(cleaned("x" * 10_000)) == 2000


async def test_lines_cannot_be_broken_or_painted(plane: Plane) -> None:
    await note(plane.access, "user:a\nuser:b", "x\x1b[31m", target="t\r\n\u202e", what={"k\n": "v\u2028"})
    (event,) = await plane.access.audit.list(Sought(action="x*"))
    assert all(text.isprintable() for text in (event.actor, event.action, event.target, str(event.details["what"])))


async def test_failures_do_not_drown_the_book_and_none_hides_behind_another(plane: Plane) -> None:
    user = await plane.user()
    for _ in range(70):
        plane.access.failures.admit_for("unknown", 0)
    await sign_in(await plane.open_browser(), "nobody-there")
    await sign_in(await plane.open_browser(), user.name, "wrong")
    events = await plane.access.audit.list(Sought(action="sign_in.failed"), limit=1)
    assert [event.target for event in events] == [user.name]


async def test_sign_ins_good_and_bad_are_recorded_without_what_was_typed(plane: Plane, browser: Browser) -> None:
    user = await plane.user()
    await sign_in(browser, user.name, "wrong-secret-one")
    await sign_in(browser, "my-secret-by-mistake", PASSWORD)
    await sign_in(browser, user.name)
    events = await plane.access.audit.list(Sought(action="sign_in*"), limit=3)
    assert [(event.action, event.target) for event in events] == [
        ("sign_in", user.name),
        ("sign_in.failed", "an unknown account"),
        ("sign_in.failed", user.name),
    ]
    assert all(event.details["network"] == "127.0.0.1" for event in events)
    text = str(events)
    assert not any(secret in text for secret in ("wrong-secret-one", "my-secret-by-mistake", PASSWORD))
