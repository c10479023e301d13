"""Signing in with a browser, and what is tried against it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from detectors.errors import AccessError
from proxy.control.access.places import Place
from proxy.control.access.sign_in import with_password
from tests.proxy.control.access.conftest import (
    PASSWORD,
    Browser,
    Build,
    Plane,
    bearer,
    csrf_of,
    sign_in,
    tokens_of,
)
from tests.storage.conftest import RunStatement

pytestmark = pytest.mark.slow  # a database of their own
NAME = "promptshield"


async def signed_in(browser: Browser) -> bool:
    return (await browser.get("/api/v1/auth/session")).status == 200


def cookie(answer: Any, name: str = NAME) -> str:
    lines = [line for line in answer.headers.getall("Set-Cookie", []) if line.startswith(f"{name}=")]
    assert len(lines) == 1
    return str(lines[0])


async def test_a_browser_signs_in_and_out(plane: Plane, browser: Browser) -> None:
    page = await browser.get("/sign-in")
    assert 'name="password"' in await page.text()
    answer = await sign_in(browser, (await plane.user()).name)
    assert (answer.status, answer.headers["Location"]) == (303, "/console")
    assert await signed_in(browser)
    token = await csrf_of(browser)
    answer = await browser.post("/sign-out", data={"csrf": token}, allow_redirects=False)
    assert answer.headers["Location"] == "/sign-in?out"
    assert not await signed_in(browser)


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(plane: Plane, browser: Browser) -> None:
    line = cookie(await sign_in(browser, (await plane.user()).name))
    assert all(word in line for word in ("HttpOnly", "SameSite=Lax", "Path=/"))
    assert "Secure" not in line
    assert "Domain" not in line


async def test_over_tls_the_cookie_is_bound_to_the_host(build: Build) -> None:
    plane = await build(url="https://firewall.acme.example")
    browser = await plane.open_browser()
    line = cookie(await sign_in(browser, (await plane.user()).name), f"__Host-{NAME}")
    assert "Secure" in line


async def test_over_tls_a_cookie_without_the_guarded_name_counts_for_nothing(build: Build) -> None:
    """Cookie tossing: a neighbouring host can set any other name."""
    plane = await build(url="https://firewall.acme.example")
    browser = await plane.open_browser()
    value = cookie(await sign_in(browser, (await plane.user()).name), f"__Host-{NAME}").partition("=")[2].split(";")[0]
    plain = await plane.open_browser()
    guarded = await plain.get("/api/v1/auth/session", headers={"Cookie": f"__Host-{NAME}={value}"})
    tossed = await plain.get("/api/v1/auth/session", headers={"Cookie": f"{NAME}={value}"})
    assert (guarded.status, tossed.status) == (200, 401)


async def test_a_session_that_the_browser_brought_is_not_the_one_it_leaves_with(plane: Plane, browser: Browser) -> None:
    """Session fixation."""
    user = await plane.user()
    fixed = {"Cookie": f"{NAME}=chosen-by-somebody-else"}
    answer = await browser.post(
        "/sign-in", data={"name": user.name, "password": PASSWORD}, headers=fixed, allow_redirects=False
    )
    assert "chosen-by-somebody-else" not in cookie(answer)
    assert (await (await plane.open_browser()).get("/api/v1/auth/session", headers=fixed)).status == 401


async def test_signing_in_again_ends_the_session_before(plane: Plane, browser: Browser) -> None:
    user = await plane.user()
    before = cookie(await sign_in(browser, user.name)).split(";")[0]
    await sign_in(browser, user.name)
    assert await signed_in(browser)
    other = await plane.open_browser()
    assert (await other.get("/api/v1/auth/session", headers={"Cookie": before})).status == 401


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/", "//evil.example", "/\\evil.example", "/console\\@evil.example", "javascript:alert(1)",
        "/consoleevil", "/console/\r\nSet-Cookie: a=b", "console", "/api/v1/auth/oidc/start", "/console/%\x00",
        "/account" + "a" * 3000, "\thttps://evil.example", "/console?next=\u202ehttps",
    ],
)  # fmt: skip
async def test_no_address_leads_elsewhere_after_a_sign_in(plane: Plane, browser: Browser, wanted: str) -> None:
    answer = await sign_in(browser, (await plane.user()).name, next=wanted)
    assert answer.headers["Location"] == "/console"


@pytest.mark.parametrize("wanted", ["/console", "/console/decisions?tenant=acme&action=block", "/account"])
async def test_one_comes_back_to_the_page_that_one_wanted(plane: Plane, browser: Browser, wanted: str) -> None:
    answer = await sign_in(browser, (await plane.user()).name, next=wanted)
    assert answer.headers["Location"] == wanted


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)  # fmt: skip
async def test_another_site_signs_nobody_in(plane: Plane, browser: Browser, headers: dict[str, str]) -> None:
    user = await plane.user()
    answer = await browser.post("/sign-in", data={"name": user.name, "password": PASSWORD}, headers=headers)
    assert answer.status == 403
    assert not await signed_in(browser)


async def test_a_wrong_password_shows_the_form_again_and_not_what_was_typed(plane: Plane, browser: Browser) -> None:
    answer = await sign_in(browser, "<script>alert(1)</script>", "hunter2hunter2")
    text = await answer.text()
    assert answer.status == 401
    assert "Name or password are wrong" in text
    assert "hunter2" not in text
    assert "<script>alert" not in text


async def test_pages_let_in_no_script_and_no_frame(plane: Plane, browser: Browser) -> None:
    headers = (await browser.get("/sign-in")).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


async def test_the_code_comes_second_and_the_password_alone_opens_nothing(plane: Plane, browser: Browser) -> None:
    user = await plane.user()
    phone, _ = await plane.enrol(user)
    answer = await sign_in(browser, user.name, next="/console/usage")
    assert answer.headers["Location"] == "/sign-in/code?next=%2Fconsole%2Fusage"
    assert not await signed_in(browser)
    wrong = await browser.post("/sign-in/code", data={"code": "000000"})
    assert (wrong.status, "wrong" in await wrong.text()) == (401, True)
    code = phone.at(int(plane.clock.now))
    answer = await browser.post("/sign-in/code", data={"code": code, "next": "/console/usage"}, allow_redirects=False)
    assert answer.headers["Location"] == "/console/usage"
    assert await signed_in(browser)


async def test_a_sign_in_that_was_begun_elsewhere_is_not_finished_here(plane: Plane, browser: Browser) -> None:
    user = await plane.user()
    phone, _ = await plane.enrol(user)
    asked = await (await browser.post("/api/v1/auth/sign-in", json={"name": user.name, "password": PASSWORD})).json()
    code = phone.at(int(plane.clock.now))
    answer = await browser.post(
        "/sign-in/code", data={"code": code}, headers={"Cookie": f"{NAME}-code={asked['waiting']}"}
    )
    assert answer.status == 401


async def test_another_site_signs_nobody_out(plane: Plane, browser: Browser) -> None:
    await sign_in(browser, (await plane.user()).name)
    answer = await browser.post("/sign-out", headers={"Origin": "https://evil.example"}, allow_redirects=False)
    assert (answer.status, answer.headers.getall("Set-Cookie", [])) == (403, [])
    assert await signed_in(browser)


async def test_who_must_change_the_password_gets_no_further(plane: Plane, browser: Browser) -> None:
    user = await plane.user(must_change=True)
    answer = await sign_in(browser, user.name, next="/console/usage")
    assert answer.headers["Location"] == "/account"
    page = await (await browser.get("/account")).text()
    assert "Choose a password of your own" in page
    assert "authenticator" not in page


async def test_tokens_are_no_cookies_and_cookies_no_tokens(plane: Plane, browser: Browser) -> None:
    user = await plane.user()
    given = await tokens_of(browser, user)
    value = cookie(await sign_in(browser, user.name)).partition("=")[2].split(";")[0]
    other = await plane.open_browser()
    for token in (given["access_token"][:190], given["refresh_token"]):
        assert (await other.get("/api/v1/auth/session", headers={"Cookie": f"{NAME}={token}"})).status == 401
    for token in (value, given["refresh_token"]):
        assert (await other.get("/api/v1/auth/session", headers=bearer(token))).status == 401


async def test_a_failure_takes_its_time_whatever_was_wrong(plane: Plane) -> None:
    access = replace(plane.access, shortest_failure=0.4)
    user = await plane.user()
    for name in (user.name, "nobody-there@acme.example", "no such name!"):
        began = time.monotonic()
        with pytest.raises(AccessError):
            await with_password(access, name, "wrong", Place("192.0.2.1", ""), in_browser=True)
        assert time.monotonic() - began >= 0.4


async def test_too_many_tries_are_told_when_to_come_back(
    plane: Plane, browser: Browser, as_superuser: RunStatement
) -> None:
    user = await plane.user()
    for _ in range(6):
        assert (await sign_in(browser, user.name, "wrong")).status == 401
    # The first delay is a second, which a try may take on a busy machine.
    await as_superuser("UPDATE private.throttle SET until = until + interval '1 h' WHERE until > last_at")
    late = await sign_in(browser, user.name, "wrong")
    assert late.status == 429
    assert int(late.headers["Retry-After"]) > 3600 - 60
    right = await sign_in(browser, user.name)
    assert right.status == 429, "while the door is shut the right password does not open it either"
