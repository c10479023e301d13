"""One's own account over the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyotp
import pytest

from storage.accounts.throttle import Gate, Throttle
from storage.accounts.users import User
from tests.proxy.control.access.conftest import MASTER_KEY, PASSWORD, Browser, Plane, bearer, tokens_of

pytestmark = pytest.mark.slow  # a database of their own
NEW = "another-zebra-battery-43"
Headers = dict[str, str]


@pytest.fixture
async def user(plane: Plane) -> User:
    return await plane.user()


@pytest.fixture
async def headers(browser: Browser, user: User) -> Headers:
    return bearer((await tokens_of(browser, user))["access_token"])


async def change(browser: Browser, headers: Headers, current: str, new: str) -> Any:
    return await browser.post("/api/v1/auth/password", json={"current": current, "new": new}, headers=headers)


async def alive(browser: Browser, headers: Headers) -> bool:
    return (await browser.get("/api/v1/auth/session", headers=headers)).status == 200


async def test_a_new_password_ends_the_other_sessions_and_the_old_one(
    plane: Plane, browser: Browser, user: User, headers: Headers
) -> None:
    other = bearer((await tokens_of(browser, user))["access_token"])
    assert (await change(browser, headers, PASSWORD, NEW)).status == 204
    assert await alive(browser, headers)
    assert not await alive(browser, other)
    answer = await browser.post("/api/v1/auth/sign-in", json={"name": user.name, "password": PASSWORD})
    assert answer.status == 401
    answer = await browser.post("/api/v1/auth/sign-in", json={"name": user.name, "password": NEW})
    assert answer.status == 200


@pytest.mark.parametrize(
    ("current", "new", "code"),
    [
        ("wrong", NEW, "wrong_credentials"), (PASSWORD, "password1234", "weak_password"),
        (PASSWORD, PASSWORD, "weak_password"), (PASSWORD, "short", "weak_password"),
    ],
)  # fmt: skip
async def test_a_bad_change_is_refused(browser: Browser, headers: Headers, current: str, new: str, code: str) -> None:
    answer = await change(browser, headers, current, new)
    assert (await answer.json())["error"]["code"] == code


async def test_a_change_undoes_no_reset_that_came_meanwhile(
    plane: Plane, browser: Browser, user: User, headers: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    access, succeed = plane.access, Throttle.succeed
    reset = await access.passwords.hash("by-an-administrator-44")

    async def reset_and_succeed(throttle: Throttle, gates: Sequence[Gate]) -> None:
        """Be the administrator, when the old password has been found right and the new one is not kept yet."""
        await access.users.set_password(user.id, reset, must_change=True)
        await succeed(throttle, gates)

    monkeypatch.setattr(Throttle, "succeed", reset_and_succeed)
    assert (await change(browser, headers, PASSWORD, NEW)).status == 409
    assert await access.users.password_hash(user.id) == reset


async def test_the_present_password_cannot_be_guessed_here_either(browser: Browser, headers: Headers) -> None:
    statuses = [(await change(browser, headers, "wrong", NEW)).status for _ in range(8)]
    assert statuses[-1] == 429


async def test_a_second_factor_is_added_and_removed_with_the_password(
    plane: Plane, browser: Browser, user: User, headers: Headers
) -> None:
    root = "/api/v1/auth/second-factor"
    assert (await browser.post(root, json={"password": "wrong"}, headers=headers)).status == 401
    begun = await (await browser.post(root, json={"password": PASSWORD}, headers=headers)).json()
    phone = pyotp.TOTP(begun["secret"])
    wrong = await browser.post(f"{root}/confirm", json={"code": "000000"}, headers=headers)
    assert wrong.status == 401
    now = int(plane.clock.now)
    confirmed = await browser.post(f"{root}/confirm", json={"code": phone.at(now)}, headers=headers)
    assert len((await confirmed.json())["recovery_codes"]) == 10
    assert (await browser.post(root, json={"password": PASSWORD}, headers=headers)).status == 409
    removal = {"password": PASSWORD, "code": phone.at(now)}
    assert (await browser.post(f"{root}/remove", json=removal, headers=headers)).status == 401, "used already"
    removal["code"] = phone.at(now + 30)
    assert (await browser.post(f"{root}/remove", json=removal, headers=headers)).status == 204
    found = await plane.access.users.get(user.id)
    assert found is not None
    assert not found.second_factor


async def test_sessions_are_listed_and_ended_by_their_owner(
    plane: Plane, browser: Browser, user: User, headers: Headers
) -> None:
    other = bearer((await tokens_of(browser, user))["access_token"])
    items = (await (await browser.get("/api/v1/auth/sessions", headers=headers)).json())["items"]
    assert [item["current"] for item in items] == [False, True]
    ended = await browser.delete(f"/api/v1/auth/sessions/{items[0]['id']}", headers=headers)
    assert ended.status == 204
    assert not await alive(browser, other)
    stranger = bearer((await tokens_of(browser, await plane.user()))["access_token"])
    answer = await browser.delete(f"/api/v1/auth/sessions/{items[1]['id']}", headers=stranger)
    assert answer.status == 404
    assert await alive(browser, headers)


async def test_the_master_key_has_no_account(browser: Browser) -> None:
    told = await (await browser.get("/api/v1/auth/session", headers=bearer(MASTER_KEY))).json()
    assert (told["kind"], told["role"]) == ("first_admin", "platform_admin")
    for answer in (
        await change(browser, bearer(MASTER_KEY), "x", NEW),
        await browser.get("/api/v1/auth/sessions", headers=bearer(MASTER_KEY)),
    ):
        assert (await answer.json())["error"]["code"] == "no_account"
