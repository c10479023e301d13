"""Cookies and the tokens of forms; their names over TLS are tested with the pages."""

from __future__ import annotations

from aiohttp.test_utils import make_mocked_request

from proxy.control.access.cookies import Cookie, csrf_token, read_cookie
from proxy.control.settings import ControlSettings


def test_a_form_token_belongs_to_one_session_and_one_house() -> None:
    assert csrf_token(b"k" * 32, "a") != csrf_token(b"k" * 32, "b")
    assert csrf_token(b"k" * 32, "a") != csrf_token(b"l" * 32, "a")
    assert len(csrf_token(b"k" * 32, "\udc80")) == 64


def test_an_endless_cookie_is_none() -> None:
    request = make_mocked_request("GET", "/", headers={"Cookie": f"promptshield={'a' * 5000}"})
    assert read_cookie(ControlSettings(), request, Cookie.SESSION) == ""


def test_kinds_of_cookies_are_not_taken_for_each_other() -> None:
    request = make_mocked_request("GET", "/", headers={"Cookie": "promptshield-code=a; promptshield=b"})
    found = [read_cookie(ControlSettings(), request, cookie) for cookie in Cookie]
    assert found == ["b", "a", ""]
