"""What each form of the console asks of which operation; and that what was wrong stands there, with what was typed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import FormData, web
from aiohttp.test_utils import TestClient
from yarl import URL

from detectors.errors import OperationError, Problem
from proxy.control.console.forms import Filled, Wrong
from proxy.control.console.marks import said
from tests.proxy.control.console.conftest import CSRF, Stage

Console = TestClient[web.Request, web.Application]
ID = "01890a5d-ac96-774b-bcce-b302099a8057"


@dataclass(frozen=True, slots=True)
class Case:
    """A form, filled; the operation and what it is asked with; where one is sent then, None for an answer in place."""

    path: str
    do: str
    operation: str
    typed: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    body: Any = None
    then: str | None = None


_POLICY = {"tenant": "acme", "app": "_"}
_VERSION = {**_POLICY, "version": "2"}
_DECISION = {"decision": ID}
CASES = (
    Case("/console/tenants", "create", "createTenant", {"slug": "globex", "name": " Globex "}, {},
         {"slug": "globex", "name": "Globex"}, "/console/tenants/"),
    Case("/console/tenants/acme", "rename", "changeTenant", {"name": ""}, {"tenant": "acme"}, {"name": ""},
         "/console/tenants/acme"),
    Case("/console/tenants/acme", "suspend", "suspendTenant", {"reason": "unpaid"}, {"tenant": "acme"},
         {"reason": "unpaid"}, "said=suspended"),
    Case("/console/tenants/acme", "resume", "resumeTenant", {}, {"tenant": "acme"}, None, "said=resumed"),
    Case("/console/tenants/acme", "delete", "deleteTenant", {"reason": "they left", "grace_days": "30"},
         {"tenant": "acme"}, {"reason": "they left", "grace_days": "30"}, "said=deleted"),
    Case("/console/tenants/acme", "restore", "restoreTenant", {}, {"tenant": "acme"}, None, "said=restored"),
    Case("/console/tenants/acme", "purge", "purgeTenant", {"reason": "asked"}, {"tenant": "acme"},
         {"reason": "asked"}, "said=purging"),
    Case("/console/apps", "create", "createApp", {"name": "bot"}, {"tenant": "acme"}, {"name": "bot"}, "said=created"),
    Case("/console/keys", "create", "createKey",
         {"app": "bot", "expires_at": "2030-01-02", "scopes": "openai\r\nPOST /v1/chat/*", "models": "gpt-4o*, o3",
          "additional": "yes"}, {"tenant": "acme"},
         {"app": "bot", "models": ["gpt-4o*", "o3"], "additional": True, "expires_at": "2030-01-02T23:59:59+00:00",
          "scopes": ["openai", "POST /v1/chat/*"]}),
    Case("/console/keys", "change", "changeKey",
         {"key": "4", "name": "bot", "expires_at": "", "scopes": "openai", "models": ""},
         {"tenant": "acme", "key": "4"},
         {"name": "bot", "expires_at": None, "scopes": ["openai"], "models": None}, "said=saved"),
    Case("/console/keys", "rotate", "rotateKey", {"key": "4", "overlap_minutes": "60"},
         {"tenant": "acme", "key": "4"}, {"overlap_minutes": "60"}),
    Case("/console/keys", "revoke", "revokeKey", {"key": "4"}, {"tenant": "acme", "key": "4"}, None, "said=revoked"),
    Case("/console/users", "create", "createUser", {"name": "bob", "role": "analyst", "tenant": "acme"}, {},
         {"name": "bob", "role": "analyst", "tenant": "acme"}),
    Case("/console/users/3", "role", "changeUser", {"role": "auditor"}, {"user": "3"}, {"role": "auditor"},
         "said=saved"),
    Case("/console/users/3", "disable", "changeUser", {}, {"user": "3"}, {"enabled": False}, "said=disabled"),
    Case("/console/users/3", "enable", "changeUser", {}, {"user": "3"}, {"enabled": True}, "said=enabled"),
    Case("/console/users/3", "reset", "resetPassword", {}, {"user": "3"}),
    Case("/console/users/3", "remove-factor", "removeSecondFactor", {}, {"user": "3"}, None, "said=factor-removed"),
    Case("/console/users/3", "end-sessions", "endSessions", {}, {"user": "3"}, None, "said=sessions-ended"),
    Case("/console/service-accounts", "create", "createServiceAccount", {"name": "siem", "role": "auditor"}, {},
         {"name": "siem", "role": "auditor"}),
    Case("/console/service-accounts", "rotate", "rotateServiceAccount", {"account": "5", "overlap_minutes": "9"},
         {"account": "5"}, {"overlap_minutes": "9"}),
    Case("/console/service-accounts", "revoke", "revokeServiceAccount", {"account": "5"}, {"account": "5"}, None,
         "said=revoked"),
    Case("/console/issuers", "create", "createIssuer",
         {"issuer": "idp", "audience": "llm", "jwks": '{"keys": []}', "claims": "team = sec\r\n"}, {"tenant": "acme"},
         {"issuer": "idp", "audience": "llm", "jwks": {"keys": []}, "claims": {"team": "sec"}}, "said=created"),
    Case("/console/issuers", "remove", "removeIssuer", {"issuer": "4"}, {"tenant": "acme", "issuer": "4"}, None,
         "said=removed"),
    Case("/console/audit", "verify", "verifyAuditEvents"),
    Case("/console/judges", "reset", "resetJudgeBreaker", {"judge": "gpt"}, {"judge": "gpt"}, None, "said=reset"),
    Case("/console/exclusions", "create", "addExclusion",
         {"rule": "PS-INJ-014", "until": "2030-01-01", "reason": "our jargon", "origin": ""}, {"tenant": "acme"},
         {"rule": "PS-INJ-014", "until": "2030-01-01", "reason": "our jargon"}, "/versions/3?tenant=acme&said=draft"),
    Case(f"/console/decisions/{ID}", "excuse", "markFalsePositive",
         {"rule": "", "until": "2030-01-01", "reason": "our jargon", "text": " two\r\nlines "}, _DECISION,
         {"until": "2030-01-01", "reason": "our jargon", "text": " two\nlines "}, "/versions/3"),
    Case(f"/console/decisions/{ID}", "bodies", "readDecisionBodies", {}, _DECISION),
    Case(f"/console/decisions/{ID}", "report", "openIncident",
         {"title": "A leak", "severity": "high", "tenant": "acme"}, {"tenant": "acme"},
         {"title": "A leak", "severity": "high", "decisions": [ID]}, "/console/incidents/3"),
    Case("/console/incidents", "create", "openIncident", {"title": "A leak", "decisions": f"{ID}\n{ID}"},
         {"tenant": "acme"}, {"title": "A leak", "decisions": [ID, ID]}, "/console/incidents/3"),
    Case("/console/incidents/3", "change", "changeIncident", {"status": "resolved", "assignee": "", "note": "done"},
         {"incident": "3"}, {"status": "resolved", "note": "done", "assignee": ""}, "said=saved"),
    Case("/console/incidents/3", "assign", "changeIncident", {"assignee": "ada"}, {"incident": "3"},
         {"assignee": "ada"}, "said=saved"),
    Case("/console/reviews", "release", "releaseReview", {"review": ID, "reason": "harmless", "days": "30"},
         _DECISION, {"reason": "harmless", "days": "30"}, "said=released"),
    Case("/console/reviews", "keep", "rejectReview", {"review": ID, "reason": "rightly"}, _DECISION,
         {"reason": "rightly"}, "said=kept"),
    Case("/console/playground", "try", "tryText",
         {"text": " as it\r\nis ", "origin": "tool", "direction": "request", "app": "bot", "policy": ""},
         {"tenant": "acme"}, {"origin": "tool", "direction": "request", "app": "bot", "text": " as it\nis "}),
    Case("/console/policies/_", "check", "checkPolicy", {"content": "a: 1\r\n"}, _POLICY, {"content": "a: 1\n"}),
    Case("/console/policies/_", "test", "testPolicy", {"content": "a: 1\r\n"}, _POLICY, {"content": "a: 1\n"}),
    Case("/console/policies/_", "diff", "diffPolicy", {"content": "a: 1\n"}, _POLICY, {"content": "a: 1\n"}),
    Case("/console/policies/_", "replay", "replayPolicy", {"content": "a: 1\n", "days": "30"}, _POLICY,
         {"content": "a: 1\n", "days": "30"}),
    Case("/console/policies/_", "save", "savePolicyDraft", {"content": "a: 1\n", "reason": " why "}, _POLICY,
         {"content": "a: 1\n", "reason": "why"}, "/console/policies/_/versions/3?tenant=acme&said=draft"),
    Case("/console/policies/_/versions", "roll-back", "rollBackPolicy", {"reason": "it is bad", "undo": "2"}, _POLICY,
         {"reason": "it is bad", "undo": "2"}, "said=rolled-back"),
    Case("/console/policies/_/versions/2", "test", "testPolicy", {}, _POLICY, {"version": "2"}),
    Case("/console/policies/_/versions/2", "replay", "replayPolicy", {"days": "1"}, _POLICY,
         {"version": "2", "days": "1"}),
    Case("/console/policies/_/versions/2", "approve", "approvePolicyVersion", {}, _VERSION, None, "said=approved"),
    Case("/console/policies/_/versions/2", "activate", "activatePolicyVersion",
         {"reason": "better", "condition": "", "days": "7"}, _VERSION, {"reason": "better", "days": "7"},
         "said=activated"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.path} {case.do}")
async def test_a_form_asks_its_operation(console: Console, stage: Stage, case: Case) -> None:
    answer = await console.post(
        case.path, params={"tenant": "acme"}, data={"do": case.do, "csrf": CSRF, **case.typed}, allow_redirects=False
    )
    asked = [(names, body) for operation, names, _, body in stage.asked if operation == case.operation]
    assert (case.names, case.body) in asked, stage.asked
    if case.then is None:
        assert answer.status == 200
    else:
        assert answer.status == 303
        assert case.then in answer.headers["Location"]
        assert said(URL(answer.headers["Location"]).query["said"]), "what was done has no words"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.path} {case.do}")
async def test_a_refused_form_says_why_where_it_stands(console: Console, stage: Stage, case: Case) -> None:
    stage.answers[case.operation] = OperationError(409, "refused", "not while <it> rains")
    answer = await console.post(
        case.path, params={"tenant": "acme"}, data={"do": case.do, "csrf": CSRF, **case.typed}, allow_redirects=False
    )
    text = await answer.text()
    assert answer.status == 409
    assert "Not while &lt;it&gt; rains." in text
    assert "<h1>" in text


async def test_a_day_that_stays_leaves_a_key_its_hour(console: Console, stage: Stage) -> None:
    for day, sent in (("2026-03-01", False), ("2026-03-02", True), ("", True)):  # made up keys end on the first
        typed = {"do": "change", "csrf": CSRF, "key": "4", "name": "bot", "expires_at": day}
        await console.post("/console/keys?tenant=acme", data=typed, allow_redirects=False)
        assert ("expires_at" in stage.sent("changeKey")) is sent


async def test_what_was_typed_stays_and_the_error_stands_beside_its_field(console: Console, stage: Stage) -> None:
    stage.answers["createTenant"] = OperationError(422, "invalid_field", "expected a text of the form [a-z]", "slug")
    typed = {"do": "create", "csrf": CSRF, "slug": 'Ac"me', "name": "<Acme>"}
    answer = await console.post("/console/tenants", data=typed)
    text = await answer.text()
    assert answer.status == 422
    assert 'value="Ac&#34;me"' in text
    assert 'value="&lt;Acme&gt;"' in text
    field_ = re.search(r'<input id="create-slug"[^>]*>', text)
    assert field_ is not None
    assert 'aria-invalid="true"' in field_.group()
    assert 'aria-describedby="create-slug-wrong create-slug-hint"' in field_.group()
    assert 'id="create-slug-wrong"' in text
    assert "not written in the form" in text


async def test_a_secret_stands_in_the_answer_to_its_form_and_in_no_address(console: Console, stage: Stage) -> None:
    stage.text = "sk-ps-the-secret"
    answer = await console.post("/console/keys?tenant=acme", data={"do": "create", "csrf": CSRF, "app": "bot"})
    assert 'id="new-key">sk-ps-the-secret<' in await answer.text()
    assert answer.headers["Cache-Control"] == "no-store"
    assert not answer.history


async def test_a_policy_that_does_not_load_keeps_its_text_and_shows_the_lines(console: Console, stage: Stage) -> None:
    problems = [Problem(2, "unknown key 'modee'", 1), Problem(None, "no rules")]
    stage.fixed["source"] = "database"
    stage.answers["savePolicyDraft"] = OperationError(422, "invalid_policy", "it is wrong", "content", problems)
    content = "a: 1\nmodee: enforce\u202e\n"
    answer = await console.post(
        "/console/policies/_?tenant=acme", data={"do": "save", "csrf": CSRF, "content": content, "reason": "why not"}
    )
    text = await answer.text()
    assert answer.status == 422
    assert "\na: 1\nmodee: enforce&#8238;\n</textarea>" in text
    assert 'data-line="2">line 2</a>: unknown key &#39;modee&#39;' in text
    assert '<span class="at">2</span>' in text
    assert "U+202E in line 2" in text
    assert 'name="reason" value="why not"' in text


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_the_longest_policy_goes_through_and_a_longer_form_has_an_answer(console: Console, stage: Stage) -> None:
    for length, status in ((262_144, 200), (1 << 20, 413)):
        form = FormData(default_to_multipart=True)
        for name, text in {"do": "check", "csrf": CSRF, "content": "ü" * length}.items():
            form.add_field(name, text)
        answer = await console.post("/console/policies/_?tenant=acme", data=form)
        assert answer.status == status
        assert "<h1>" in await answer.text()
    assert len(stage.sent("checkPolicy")["content"]) == 262_144


async def test_a_policy_that_is_a_file_is_not_saved_here(console: Console, stage: Stage) -> None:
    stage.fixed["source"] = "file"
    text = await (await console.get("/console/policies/_?tenant=acme")).text()
    assert 'value="check"' in text
    assert 'value="save"' not in text


def test_an_error_is_told_once_and_by_its_own_field() -> None:
    filled = Filled(None, Wrong("f", 422, "must be small", "limits.requests"))
    assert filled.error("limit") == ""
    assert filled.error("limits") == "Must be small."
    assert filled.rest() == ""
    assert Filled(None, Wrong("f", 422, "must be small", "limits")).rest() == "limits: Must be small."
    assert Filled(None, None).rest() == ""


async def test_a_form_offers_apps_of_all_pages_and_chooses_the_one_looked_at(console: Console, stage: Stage) -> None:
    for path in ("/console/keys", "/console/playground"):
        text = await (await console.get(path, params={"tenant": "acme", "app": "the-5000th"})).text()
        assert '<option value="the-5000th"' in text
        asked = [query for name, _, query, _ in stage.asked if name == "listApps"]
        assert [query["after"] for query in asked[:3]] == [None, "plain", "plain"]
        assert ('<option value="the-5000th" selected>' in text) is (path == "/console/keys")
        stage.asked.clear()
