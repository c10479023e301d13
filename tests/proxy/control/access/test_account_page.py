"""One's own account in a browser."""

from __future__ import annotations

import re

import pyotp
import pytest

from tests.proxy.control.access.conftest import PASSWORD, Browser, Plane, csrf_of, sign_in

pytestmark = pytest.mark.slow  # a database of their own
NEW = "another-zebra-battery-43"


async def test_nobody_is_sent_to_sign_in_and_back(browser: Browser) -> None:
    answer = await browser.get("/account", allow_redirects=False)
    assert answer.headers["Location"] == "/sign-in?next=/account"
    assert (await browser.post("/account", data={"do": "password"})).status == 401


async def test_the_first_administrator_chooses_a_password_and_then_sees_everything(
    plane: Plane, browser: Browser
) -> None:
    user = await plane.user(must_change=True)
    await sign_in(browser, user.name)
    form = {"do": "password", "csrf": await csrf_of(browser), "current": PASSWORD, "new": NEW, "again": NEW}
    differing = await browser.post("/account", data=form | {"again": "x"})
    assert "not the same" in await differing.text()
    answer = await (await browser.post("/account", data=form)).text()
    assert "The password is changed" in answer
    assert "Where you are signed in" in answer


async def test_a_form_without_its_token_changes_nothing(plane: Plane, browser: Browser) -> None:
    await sign_in(browser, (await plane.user()).name)
    form = {"do": "password", "current": PASSWORD, "new": NEW, "again": NEW}
    assert (await browser.post("/account", data=form)).status == 403
    assert (await browser.post("/account", data=form | {"csrf": "0" * 64})).status == 403


async def test_an_authenticator_is_added_from_the_page(plane: Plane, browser: Browser) -> None:
    user = await plane.user()
    await sign_in(browser, user.name)
    assert (await browser.get("/account/second-factor.png")).status == 404
    csrf = await csrf_of(browser)
    page = await (
        await browser.post("/account", data={"do": "factor-begin", "csrf": csrf, "password": PASSWORD})
    ).text()
    found = re.search(r"<code>([A-Z2-7]{32})</code>", page)
    assert found is not None
    picture = await browser.get("/account/second-factor.png")
    assert (picture.content_type, picture.headers["Cache-Control"]) == ("image/png", "no-store")
    code = pyotp.TOTP(found[1]).at(int(plane.clock.now))
    page = await (await browser.post("/account", data={"do": "factor-confirm", "csrf": csrf, "code": code})).text()
    assert len(re.findall(r"\b[a-z2-9]{5}-[a-z2-9]{5}\b", page)) == 10
    again = await (await browser.get("/account")).text()
    assert found[1] not in again
    assert "10 recovery codes are left" in again
    assert (await browser.get("/account/second-factor.png")).status == 404


async def test_other_sessions_are_seen_and_ended(plane: Plane, browser: Browser) -> None:
    user = await plane.user()
    other = await plane.open_browser()
    await sign_in(other, user.name)
    await sign_in(browser, user.name)
    page = await (await browser.get("/account")).text()
    (session,) = re.findall(r'name="session" value="([0-9a-f-]{36})"', page)
    await browser.post("/account", data={"do": "session-end", "csrf": await csrf_of(browser), "session": session})
    assert (await other.get("/api/v1/auth/session")).status == 401


async def test_what_a_browser_calls_itself_is_shown_and_not_run(plane: Plane, browser: Browser) -> None:
    user = await plane.user()
    await browser.post(
        "/sign-in",
        data={"name": user.name, "password": PASSWORD},
        headers={"User-Agent": "<img src=x onerror=alert(1)>"},
        allow_redirects=False,
    )
    page = await (await browser.get("/account")).text()
    assert "&lt;img src=x" in page
    assert "<img src=x" not in page


async def test_a_form_of_no_name_is_refused(plane: Plane, browser: Browser) -> None:
    await sign_in(browser, (await plane.user()).name)
    answer = await browser.post("/account", data={"do": "__init__", "csrf": await csrf_of(browser)})
    assert answer.status == 422
