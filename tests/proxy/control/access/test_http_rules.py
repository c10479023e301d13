"""What holds for every answer, and scripts of other sites."""

from __future__ import annotations

import pytest

from tests.proxy.control.access.conftest import Browser, Build, Plane

pytestmark = pytest.mark.slow  # a database of their own
THERE = "/api/v1/auth/jwks.json"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


async def test_every_answer_has_the_headers(browser: Browser) -> None:
    for path in (THERE, "/sign-in", "/api/v1/auth/session"):
        headers = (await browser.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Server"] == "PromptShield"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "Strict-Transport-Security" not in headers


async def test_over_tls_browsers_are_told_to_stay_there(browser: Browser) -> None:
    headers = (await browser.get(THERE, headers={"X-Forwarded-Proto": "https"})).headers
    assert headers["Strict-Transport-Security"].startswith("max-age=31536000")


async def test_no_other_site_reads_anything_unless_it_is_named(browser: Browser) -> None:
    answer = await browser.get(THERE, headers={"Origin": "https://dash.acme.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers
    asked = await browser.options(THERE, headers={"Origin": "https://dash.acme.example", **PREFLIGHT})
    assert asked.status >= 400
    assert "Access-Control-Allow-Origin" not in asked.headers


async def test_a_named_site_may_call_the_api_but_never_with_a_cookie(build: Build) -> None:
    browser = await (await build(cors=["https://dash.acme.example"])).open_browser()
    origin = {"Origin": "https://dash.acme.example"}
    asked = await browser.options(THERE, headers=origin | PREFLIGHT)
    assert (asked.status, asked.headers["Access-Control-Allow-Origin"]) == (204, origin["Origin"])
    assert "Cookie" not in asked.headers["Access-Control-Allow-Headers"]
    answer = await browser.get(THERE, headers=origin)
    assert answer.headers["Access-Control-Allow-Origin"] == origin["Origin"]
    assert "Origin" in answer.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    page = await browser.get("/sign-in", headers=origin)
    assert "Access-Control-Allow-Origin" not in page.headers


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "https://dash.acme.example.evil.example", "http://dash.acme.example", "*"],
)
async def test_a_site_that_is_like_a_named_one_is_not_it(build: Build, origin: str) -> None:
    plane: Plane = await build(cors=["https://dash.acme.example"])
    browser = await plane.open_browser()
    assert "Access-Control-Allow-Origin" not in (await browser.get(THERE, headers={"Origin": origin})).headers
