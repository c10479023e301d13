"""What a policy can open, what stays closed whatever it says, and which requests an opened route lets in."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.errors import PolicyError
from policies.loader import load_policy_text
from policies.routes import OpenRoute, why_closed
from policies.schema import policy_schema
from policies.types import Policy

STANDARD = "extends: preset/standard\n"
RANKING = OpenRoute("/v1/rankings/{ranking_id}", frozenset({"POST", "GET"}), "openai")


def load(text: str) -> Policy:
    return load_policy_text(STANDARD + text, Path("acme.yaml"), "acme").policy


def test_a_policy_opens_nothing_that_it_does_not_name() -> None:
    assert load("").routes == ()
    assert load("routes: []").opened("POST", "/v1/rerank", "openai") is None


def test_an_opened_route_is_for_its_methods_and_its_dialect() -> None:
    policy = load("routes: [{path: /v1/rerank}, {path: /v1beta/rank, methods: POST, dialect: gemini}]")
    assert policy.opened("POST", "/v1/rerank", "openai") is not None
    assert policy.opened("POST", "/v1beta/rank", "gemini") is not None
    for method, path, dialect in (
        ("GET", "/v1/rerank", "openai"),
        ("POST", "/v1/rerank", "gemini"),
        ("POST", "/v1/rerank/more", "openai"),
        ("POST", "/v1/rerank?x=1", "openai"),
    ):
        assert policy.opened(method, path, dialect) is None


def test_what_is_written_out_goes_before_a_placeholder() -> None:
    policy = load("routes: [{path: '/v1/rankings/{id}'}, {path: /v1/rankings/latest}]")
    opened = policy.opened("POST", "/v1/rankings/latest", "openai")
    assert opened is not None
    assert opened.path == "/v1/rankings/latest"


@pytest.mark.parametrize(
    ("path", "object_id"),
    [
        ("/v1/rankings/rank_1", "rank_1"),
        ("/v1/rankings/0a.B_c-d", "0a.B_c-d"),
        ("/v1/rankings/", ""),
        ("/v1/rankings", ""),
        ("/v1/rankings/a/b", ""),
        ("/v1/rankings/..", ""),
        ("/v1/rankings/a~b", ""),
        ("/v1/rankings/" + "a" * 129, ""),
        ("/v1/other/rank_1", ""),
    ],
)
def test_a_placeholder_stands_for_one_id(path: str, object_id: str) -> None:
    assert RANKING.object_id(path) == object_id
    assert RANKING.opens("GET", path) is (object_id != "")


def test_an_object_is_known_by_the_whole_path_at_which_it_lives() -> None:
    rankings, others = (OpenRoute(path, frozenset({"POST"}), "openai") for path in ("/v1/rankings", "/v1/rank-2"))
    assert rankings.object_made("17") == "/v1/rankings/17" != others.object_made("17")
    assert [rankings.object_made(made) for made in ("", "a/b", "..", "a b", 17, None)] == [""] * 6
    assert RANKING.object_made("17") == ""


@pytest.mark.parametrize("path", ["/v1/rerank", "/v1beta/rank", "/v1/a/b/c", "/v1/tokenize", "/v1/jobs/{job_id}"])
def test_what_answers_from_the_request_alone_can_be_opened(path: str) -> None:
    assert why_closed(path, ["POST"]) is None


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions", "/v1/responses/{id}", "/v1/messages/batches", "/v1/models", "/v1/embeddings",
        "/v1/files", "/v1/Files", "/v1/FILE_S", "/v1/files./x", "/v1/x/files/{file_id}", "/v1/vector_stores",
        "/v1/fine_tuning/alpha/graders/run", "/v1/fine-tunes", "/v1/batches", "/v1/assistants", "/v1/threads/runs",
        "/v1beta/cachedContents", "/v1beta/tunedModels", "/v1alpha/auth_tokens", "/v1/skills", "/v1/evals",
        "/v1/realtime", "/v1/realtime/client_secrets", "/v1/x/client_secrets", "/v1/chatkit/sessions",
        "/v1/organization/users", "/v1/organizations/x", "/v1/projects", "/v1/admin/x", "/v1/keys", "/v1/credits",
    ],
)  # fmt: skip
def test_what_is_shared_or_powerful_stays_closed(path: str) -> None:
    assert "stays closed" in (why_closed(path, ["POST"]) or "")


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "/v1", "/v1/", "/v2/rerank", "/rerank", "v1/rerank", "/v1/rerank/", "/v1//rerank", "/v1/{id}",
        "/v1/a/{id}/b", "/v1/a/{id}{x}", "/v1/a/*", "/v1/../a", "/v1/.a", "/v1/a?b", "/v1/a:b", "/v1/a%2e", "/v1/é",
        "http://elsewhere/v1/a", "/v1/a b",
    ],
)  # fmt: skip
def test_a_path_has_one_spelling(path: str) -> None:
    assert "expected a path such as" in (why_closed(path, ["POST"]) or "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[{path: /v1/rerank, method: POST}]", "2: unknown key 'method' (did you mean 'methods'?)"),
        ("[{path: /v1/rerank, dialect: opnai}]", "(did you mean 'openai'?)"),
        ("[{path: /v1/rerank, methods: [PUT]}]", "2: routes.0.methods.0: expected 'POST' or 'GET'"),
        ("[{methods: POST}]", "2: missing key 'path'"),
        ("[{path: /rerank}]", "2: routes.0: expected a path such as /v1/rerank or /v1/rankings/{id} (did you mean"),
        ("[{path: /v1/files}]", "2: routes.0: 'files' holds what all tenants put at the provider, and stays closed"),
        ("[{path: /v1/rankings, methods: GET}]", "2: routes.0: GET is for one object"),
        ("[{path: /v1/rank},\n {path: /v1/rank}]", "3: route '/v1/rank' is opened twice"),
    ],
)
def test_a_route_that_cannot_be_opened_is_an_error_with_its_line(text: str, problem: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load(f"routes: {text}")
    assert problem in str(caught.value)


def test_a_policy_without_routes_keeps_the_revision_that_it_had() -> None:
    assert load("").revision == load("routes: null").revision
    assert load("").revision != load("routes: [{path: /v1/rerank}]").revision


def test_editors_know_the_key() -> None:
    route = policy_schema()["$defs"]["RouteDocument"]["properties"]
    assert route.keys() == {"path", "methods", "dialect"}
    assert route["path"]["pattern"].startswith("^/v1")
