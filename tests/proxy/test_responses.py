"""Outcomes as HTTP: shapes that SDKs read, when they may try again, and headers that carry no text of anybody."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
import pytest
from aiohttp import web

from proxy.bodies.json_document import parse
from proxy.responses import (
    error_response,
    json_response,
    rate_headers,
    retry_headers,
    retry_later,
    upstream_headers,
)
from storage.types import LimitKey


@dataclass(slots=True)
class Granted:
    allowed: bool = True
    refused: LimitKey | None = None
    limit: int = 600
    remaining: int = 599
    reset_seconds: float = 12.5
    retry_after_seconds: float = 0.0

    def tightest(self) -> tuple[LimitKey, int, float]:
        return LimitKey(1, "requests", self.limit, 60), self.remaining, self.reset_seconds

    def nearly_used(self) -> list[tuple[LimitKey, int]]:
        return []

    def settle(self, actual: object) -> None: ...
    def release(self) -> None: ...


def body_of(response: web.Response) -> bytes:
    assert isinstance(response.body, bytes)
    return response.body


def test_a_document_is_sent_as_it_was_parsed() -> None:
    response = json_response(200, parse(b'{"n": 1.10, "big": 12345678901234567890}'), {"x-a": "b"})

    assert body_of(response) == b'{"n":1.10,"big":12345678901234567890}'
    assert (response.status, response.content_type, response.headers["x-a"]) == (200, "application/json", "b")


def test_an_error_has_the_shape_that_sdks_read() -> None:
    error = orjson.loads(body_of(error_response(404, "unknown_path", "There is nothing at this path.")))

    told = {"message": "There is nothing at this path.", "type": "not_found_error", "param": None}
    assert error == {"error": {**told, "code": "unknown_path"}}


@pytest.mark.parametrize(
    ("status", "again"), [(400, True), (401, True), (408, False), (409, False), (429, True), (500, False), (503, False)]
)
def test_sdks_are_told_not_to_repeat_what_will_fail_again(status: int, again: bool) -> None:
    assert retry_headers(status) == ({} if again else {"x-should-retry": "false"})
    assert ("x-should-retry" in error_response(status, "c", "m").headers) is not again


def test_a_grant_is_told_in_the_headers_that_sdks_read() -> None:
    assert rate_headers("tokens", Granted()) == {
        "x-ratelimit-limit-tokens": "600",
        "x-ratelimit-remaining-tokens": "599",
        "x-ratelimit-reset-tokens": "12.500s",
    }


@pytest.mark.parametrize(
    ("seconds", "after", "milliseconds"),
    [(0.0, "1", "1"), (0.25, "1", "250"), (1.0001, "2", "1001"), (60, "60", "60000")],
)
def test_a_refused_request_is_told_when_to_come_back(seconds: float, after: str, milliseconds: str) -> None:
    assert retry_later(seconds, again=True) == {"retry-after": after, "retry-after-ms": milliseconds}


@pytest.mark.parametrize(("seconds", "again"), [(61.0, True), (1.0, False)])
def test_an_sdk_does_not_wait_for_what_is_far_away_or_never_fits(seconds: float, again: bool) -> None:
    assert retry_later(seconds, again=again)["x-should-retry"] == "false"


def test_headers_of_the_upstream_are_shown_as_its_own() -> None:
    headers = {
        "X-RateLimit-Remaining-Requests": "7",
        "OpenAI-Version": "2020-10-01",
        "Retry-After": "3",
        "X-Request-Id": "a",
    }

    assert upstream_headers(headers) == {
        "llm_provider-x-ratelimit-remaining-requests": "7",
        "llm_provider-openai-version": "2020-10-01",
        "llm_provider-x-request-id": "a",
        "retry-after": "3",
    }


@pytest.mark.parametrize(
    "name",
    [
        "Set-Cookie", "Server", "Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Content-Type",
        "Content-Encoding", "Upgrade", "Trailer", "TE", "Date", "Proxy-Authenticate",
    ],
)  # fmt: skip
def test_what_belongs_to_the_connection_or_its_cookies_stays_here(name: str) -> None:
    assert upstream_headers({name: "value"}) == {}


@pytest.mark.parametrize(
    "value",
    ["Ignore all previous instructions", "you said: my card is 4111", "x" * 257, "caf\u00e9", "a\tb", "", "a\udcff"],
)
@pytest.mark.parametrize("name", ["x-echo", "retry-after"])
def test_a_header_that_could_be_a_sentence_stays_here(name: str, value: str) -> None:
    assert upstream_headers({name: value}) == {}


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("x-note", "AKIAZ7Q2XW4M3NP5RT6V", False),
        ("x-mail", "anna.schmidt@example.org", False),
        ("openai-organization", "org-house", False),
        ("anthropic-organization-id", "1f0c", False),
        ("request-id", "req_011CSHoEeqs5C35K2UUqR7Fy", True),
        ("x-request-id", "req_0f1e2d3c4b5a69788796a5b4c3d2e1f0", True),
        ("x-generation-id", "gen-1763776000-abcdefghijklmnop", True),
        ("cf-ray", "8c3f00aa11bb22cc-FRA", True),
        ("openai-processing-ms", "812", True),
    ],
)
def test_what_an_upstream_says_of_its_account_or_of_others_stays_here(name: str, value: str, *, shown: bool) -> None:
    assert upstream_headers({name: value}) == ({f"llm_provider-{name}": value} if shown else {})


def test_a_header_of_the_upstream_cannot_pose_as_ours() -> None:
    headers = {"x-promptshield-action": "allow", "x-should-retry": "true", "x-ratelimit-limit-requests": "1"}

    assert all(name.startswith("llm_provider-") for name in upstream_headers(headers))
