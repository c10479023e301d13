"""Signing in for tokens, refreshing them, and tokens of programs."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import jwt
import pytest
from argon2 import PasswordHasher

from proxy.control.access.types import AdminRole
from storage.accounts.admin_audit import Sought
from storage.accounts.throttle import Gate, Throttle
from storage.types import Tenant
from tests.proxy.control.access.conftest import PASSWORD, Browser, Plane, bearer, tokens_of

pytestmark = pytest.mark.slow  # a database of their own


async def who(browser: Browser, token: str) -> Any:
    return await browser.get("/api/v1/auth/session", headers=bearer(token))


async def test_a_password_gives_tokens_and_these_say_who_it_is(plane: Plane, browser: Browser, tenant: Tenant) -> None:
    user = await plane.user(AdminRole.ANALYST, tenant)
    given = await tokens_of(browser, user)
    assert given["expires_in"] == 600
    told = await (await who(browser, given["access_token"])).json()
    assert (told["name"], told["role"], told["tenant"]) == (user.name, "analyst", tenant.slug)
    assert "users:write" not in told["permissions"]


async def test_names_are_the_same_in_capitals(plane: Plane, browser: Browser) -> None:
    user = await plane.user()
    answer = await browser.post("/api/v1/auth/sign-in", json={"name": user.name.upper(), "password": PASSWORD})
    assert answer.status == 200


async def test_wrong_names_and_wrong_passwords_are_told_the_same(plane: Plane, browser: Browser) -> None:
    user = await plane.user()
    answers = [
        await browser.post("/api/v1/auth/sign-in", json={"name": name, "password": password})
        for name, password in ((user.name, "wrong"), ("nobody@acme.example", PASSWORD), ("no such name!", "x"))
    ]
    assert {answer.status for answer in answers} == {401}
    assert len({await answer.text() for answer in answers}) == 1


async def test_a_disabled_account_is_told_the_same_and_its_tokens_end(plane: Plane, browser: Browser) -> None:
    user = await plane.user()
    given = await tokens_of(browser, user)
    await plane.access.users.change(user.id, enabled=False)
    assert (await who(browser, given["access_token"])).status == 401
    answer = await browser.post("/api/v1/auth/sign-in", json={"name": user.name, "password": PASSWORD})
    assert (await answer.json())["error"]["code"] == "wrong_credentials"
    refreshed = await browser.post("/api/v1/auth/refresh", json={"refresh_token": given["refresh_token"]})
    assert refreshed.status == 401


async def test_a_refresh_token_is_good_once_and_used_twice_ends_the_family(plane: Plane, browser: Browser) -> None:
    user = await plane.user()
    first, name = await tokens_of(browser, user), user.name
    answer = await browser.post("/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})
    second = await answer.json()
    assert answer.status == 200
    assert (await who(browser, second["access_token"])).status == 200
    stolen = await browser.post("/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert stolen.status == 401
    assert (await browser.post("/api/v1/auth/refresh", json={"refresh_token": second["refresh_token"]})).status == 401
    assert (await who(browser, second["access_token"])).status == 401
    assert (await who(browser, first["access_token"])).status == 401
    assert plane.access.sign_ins["reused_refresh"] == 1
    (ended,) = [event for event in await plane.access.audit.list(Sought(action="session.end")) if event.target == name]
    assert ended.details["why"] == "a refresh token was used twice"


async def test_the_code_is_asked_for_and_is_good_once(plane: Plane, browser: Browser) -> None:
    user = await plane.user()
    phone, recovery = await plane.enrol(user)
    code = phone.at(int(plane.clock.now))

    async def attempt(code: str) -> Any:
        asked = await (
            await browser.post("/api/v1/auth/sign-in", json={"name": user.name, "password": PASSWORD})
        ).json()
        assert asked.keys() == {"next", "waiting"}
        return await browser.post("/api/v1/auth/sign-in/code", json={"waiting": asked["waiting"], "code": code})

    assert (await attempt("000000")).status == 401
    good = await attempt(code)
    assert good.status == 200
    assert (await (await who(browser, (await good.json())["access_token"])).json())["second_factor"] is True
    assert (await attempt(code)).status == 401
    assert (await attempt(recovery[0].upper())).status == 200
    assert (await attempt(recovery[0])).status == 401


async def test_a_waiting_sign_in_is_finished_once_and_tried_five_times(plane: Plane, browser: Browser) -> None:
    user = await plane.user()
    phone, _ = await plane.enrol(user)
    asked = await (await browser.post("/api/v1/auth/sign-in", json={"name": user.name, "password": PASSWORD})).json()
    for _ in range(5):
        answer = await browser.post("/api/v1/auth/sign-in/code", json={"waiting": asked["waiting"], "code": "000000"})
        assert answer.status == 401
    code = phone.at(int(plane.clock.now))
    answer = await browser.post("/api/v1/auth/sign-in/code", json={"waiting": asked["waiting"], "code": code})
    assert (await answer.json())["error"]["code"] == "sign_in_ended"


async def test_a_waiting_sign_in_ends_with_the_password_that_began_it(plane: Plane, browser: Browser) -> None:
    user = await plane.user()
    phone, _ = await plane.enrol(user)
    asked = await (await browser.post("/api/v1/auth/sign-in", json={"name": user.name, "password": PASSWORD})).json()
    await plane.access.users.set_password(user.id, await plane.access.passwords.hash("another"), must_change=True)
    code = phone.at(int(plane.clock.now))
    answer = await browser.post("/api/v1/auth/sign-in/code", json={"waiting": asked["waiting"], "code": code})
    assert (await answer.json())["error"]["code"] == "sign_in_ended"


async def test_a_password_that_gets_a_stronger_hash_is_one_sign_in(plane: Plane, browser: Browser) -> None:
    user = await plane.user()
    phone, _ = await plane.enrol(user)
    weaker = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, hash_len=16).hash(PASSWORD)
    await plane.access.users.set_password(user.id, weaker, must_change=False)
    asked = await (await browser.post("/api/v1/auth/sign-in", json={"name": user.name, "password": PASSWORD})).json()
    code = phone.at(int(plane.clock.now))
    answer = await browser.post("/api/v1/auth/sign-in/code", json={"waiting": asked["waiting"], "code": code})
    assert answer.status == 200
    assert await plane.access.users.password_hash(user.id) != weaker


async def test_a_password_that_is_changed_while_it_is_looked_at_lets_nobody_in(
    plane: Plane, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, access = await plane.user(), plane.access
    succeed = Throttle.succeed

    async def change_and_succeed(throttle: Throttle, gates: Sequence[Gate]) -> None:
        """Be the owner, who changes the password when it has been found right and no session has begun."""
        await access.users.set_password(user.id, await access.passwords.hash("another-zebra-42"), must_change=False)
        await access.sessions.end_all(user.id, "the password was changed")
        await succeed(throttle, gates)

    monkeypatch.setattr(Throttle, "succeed", change_and_succeed)
    answer = await browser.post("/api/v1/auth/sign-in", json={"name": user.name, "password": PASSWORD})
    assert answer.status == 401
    assert await access.sessions.list(user.id) == ()


async def test_codes_cannot_be_guessed_over_many_sign_ins(plane: Plane, browser: Browser) -> None:
    user = await plane.user()
    await plane.enrol(user)
    codes = []
    for _ in range(8):
        asked = await (
            await browser.post("/api/v1/auth/sign-in", json={"name": user.name, "password": PASSWORD})
        ).json()
        answer = await browser.post("/api/v1/auth/sign-in/code", json={"waiting": asked["waiting"], "code": "000000"})
        codes.append(answer.status)
    assert codes == [401] * 6 + [429] * 2


@pytest.mark.parametrize("basic", [True, False])
async def test_a_program_gets_a_token_with_its_secret_until_that_ends(
    plane: Plane, browser: Browser, tenant: Tenant, *, basic: bool
) -> None:
    made = await plane.access.service_accounts.create("exporter", AdminRole.AUDITOR, tenant.id)

    async def ask(secret: str) -> Any:
        pair = {"client_id": made.account.client_id, "client_secret": secret}
        if not basic:
            return await browser.post("/api/v1/auth/token", data={"grant_type": "client_credentials", **pair})
        headers = {"Authorization": jwt_basic(*pair.values())}
        return await browser.post("/api/v1/auth/token", data={"grant_type": "client_credentials"}, headers=headers)

    token = (await (await ask(made.secret)).json())["access_token"]
    told = await (await who(browser, token)).json()
    assert (told["kind"], told["name"], told["tenant"]) == ("service_account", made.account.client_id, tenant.slug)
    assert (await ask("pss-wrong")).status == 401
    failed, let_in = await plane.access.audit.list(Sought(action="sign_in*"), 2)
    assert (failed.action, failed.actor, failed.target) == ("sign_in.failed", "nobody", "a service account")
    assert (let_in.actor, let_in.tenant_id) == (f"service_account:{told['name']}", tenant.id)
    rotated = await plane.access.service_accounts.rotate(made.account.id)
    assert (await ask(made.secret)).status == 401
    assert (await who(browser, token)).status == 401, "a token does not outlive the secret that it was got with"
    token = (await (await ask(rotated.secret)).json())["access_token"]
    await plane.access.service_accounts.revoke(made.account.id)
    assert (await who(browser, token)).status == 401
    assert (await ask(rotated.secret)).status == 401


async def test_an_old_secret_may_go_on_for_a_while(plane: Plane, browser: Browser) -> None:
    made = await plane.access.service_accounts.create("deployer", AdminRole.PLATFORM_ADMIN, None)
    await plane.access.service_accounts.rotate(made.account.id, keep_seconds=60)
    assert await plane.access.service_accounts.open(made.account.client_id, made.secret) is not None


async def test_signing_out_ends_the_session(plane: Plane, browser: Browser) -> None:
    given = await tokens_of(browser, await plane.user())
    answer = await browser.post("/api/v1/auth/sign-out", headers=bearer(given["access_token"]))
    assert answer.status == 204
    assert (await who(browser, given["access_token"])).status == 401


async def test_the_key_set_verifies_our_tokens_and_holds_no_private_key(plane: Plane, browser: Browser) -> None:
    given = await tokens_of(browser, await plane.user())
    keys = (await (await browser.get("/api/v1/auth/jwks.json")).json())["keys"]
    assert all(key.keys() == {"kty", "crv", "alg", "use", "kid", "x"} for key in keys)
    kid = jwt.get_unverified_header(given["access_token"])["kid"]
    key = jwt.PyJWK(next(key for key in keys if key["kid"] == kid))
    claims = jwt.decode(given["access_token"], key, algorithms=["EdDSA"], audience="promptshield-control")
    assert claims["exp"] - claims["iat"] == 600


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 422), (b"[]", 422), (b'{"name": "a"}', 422), (b'{"name": 1, "password": "x"}', 422), (b"x" * 20_000, 413)],
)
async def test_bad_bodies_are_told_without_being_quoted(browser: Browser, body: bytes, status: int) -> None:
    answer = await browser.post("/api/v1/auth/sign-in", data=body, headers={"Content-Type": "application/json"})
    assert answer.status == status
    assert (await answer.json()).keys() == {"error"}


def jwt_basic(client_id: str, secret: str) -> str:
    return f"Basic {b64encode(f'{client_id}:{secret}'.encode()).decode()}"
