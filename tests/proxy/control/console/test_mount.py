"""Every page: its status, its headers, that nothing in it is a stranger's markup; and who is let in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

import proxy.control.console.pages
from detectors.discovery import discover
from detectors.errors import OperationError
from proxy.control.access.types import AdminRole
from tests.proxy.control.console.conftest import CSRF, Stage

Console = TestClient[web.Request, web.Application]
ID = "01890a5d-ac96-774b-bcce-b302099a8057"
NAMES = {"decision": ID, "incident": "3", "app": "_", "version": "2", "slug": "acme", "user": "3"}
PATHS = tuple(
    page.path.format(**NAMES) for pages in discover(proxy.control.console.pages, "PAGES", tuple) for page in pages
)
TEMPLATES = Path(proxy.control.console.pages.__path__[0]).parent / "templates"


def test_there_are_pages_to_look_at() -> None:
    assert len(PATHS) > 20


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_is_escaped_and_loads_nothing_of_others(console: Console, stage: Stage, path: str) -> None:
    stage.be_hostile()
    answer = await console.get(path, params={"tenant": "acme"})
    text = await answer.text()
    assert answer.status == 200, text[:400]
    assert "<b>x" not in text
    assert "alert(1)</script>" not in text
    assert "<!--" not in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u200b\u202e]", text)
    assert not re.search(r"<[^>]+\s(?:on[a-z]+|style)\s*=", text)
    assert re.findall(r"<script[^>]*>", text) == re.findall(r'<script src="/console/static/[^"]+" defer>', text)
    assert not re.search(r'(?:src|href|action)="(?!/|#|")', text)
    assert "://" not in text


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_has_a_strict_policy_a_title_and_labels(console: Console, stage: Stage, path: str) -> None:
    answer = await console.get(path, params={"tenant": "acme"})
    text = await answer.text()
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert re.search(r"<title>[^<]+ · acme · PromptShield</title>", text)
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert sorted(ids) == sorted(set(ids))
    fields = re.findall(r'<(?:input|select|textarea)(?![^>]*type="(?:hidden|checkbox)")[^>]*\sid="([^"]+)"', text)
    labels = set(re.findall(r'<label[^>]*for="([^"]+)"', text))
    assert set(fields) <= labels
    unnamed = re.findall(
        r'<(?:input|select|textarea)(?![^>]*(?:type="(?:hidden|checkbox)"|id=|aria-label))[^>]*>', text
    )
    assert unnamed == []


@pytest.mark.parametrize("path", PATHS)
async def test_every_form_that_changes_something_carries_the_token(console: Console, stage: Stage, path: str) -> None:
    text = await (await console.get(path, params={"tenant": "acme"})).text()
    forms = re.findall(r'<form[^>]*method="post".*?</form>', text, re.DOTALL)
    assert forms
    assert all(f'name="csrf" value="{CSRF}"' in form for form in forms)


@pytest.mark.parametrize("path", PATHS)
async def test_nobody_is_sent_to_sign_in_and_back(console: Console, stage: Stage, path: str) -> None:
    stage.principal = None
    answer = await console.get(path, params={"tenant": "a&b"}, allow_redirects=False)
    assert answer.status == 303
    assert answer.headers["Location"].startswith("/sign-in?next=%2Fconsole")
    assert "&" not in answer.headers["Location"]


async def test_a_form_without_its_token_is_refused(console: Console, stage: Stage) -> None:
    answer = await console.post("/console/tenants", data={"do": "create", "slug": "acme"})
    assert answer.status == 403
    assert "createTenant" not in {asked[0] for asked in stage.asked}


async def test_a_form_that_a_page_does_not_have_is_refused(console: Console, stage: Stage) -> None:
    answer = await console.post("/console/tenants", data={"do": "purge", "csrf": CSRF})
    assert answer.status == 422


async def test_somebody_who_has_to_choose_a_password_is_sent_there(console: Console, stage: Stage) -> None:
    stage.must_choose_password = True
    answer = await console.get("/console", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/account")


async def test_what_cannot_be_found_has_a_page_too(console: Console, stage: Stage) -> None:
    for path in ("/console/nothing", "/console/tenants/acme/more"):
        answer = await console.get(path)
        assert answer.status == 404
        assert "There is nothing here" in await answer.text()


async def test_an_operation_s_refusal_has_its_status_and_its_words(console: Console, stage: Stage) -> None:
    stage.answers["readDecision"] = OperationError(404, "not_found", "There is nothing by this <name>.")
    answer = await console.get(f"/console/decisions/{ID}")
    assert answer.status == 404
    assert "There is nothing by this &lt;name&gt;." in await answer.text()


async def test_the_way_there_is_from_the_root(console: Console, stage: Stage) -> None:
    answer = await console.get("/", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/console")


async def test_a_page_about_one_tenant_asks_which(console: Console, stage: Stage) -> None:
    stage.text = "acme"
    text = await (await console.get("/console/keys")).text()
    assert "Choose a tenant" in text
    assert "/console/keys?tenant=acme" in text
    assert {asked[0] for asked in stage.asked} == {"listTenants"}


async def test_an_auditor_sees_no_button_that_changes_anything(console: Console, stage: Stage) -> None:
    stage.become(AdminRole.AUDITOR, "acme")
    for path in PATHS:
        text = await (await console.get(path)).text()
        does = set(re.findall(r'name="do" value="([^"]+)"', text))
        # What only asks something of a policy or of a text.
        assert does <= {"check", "test", "diff", "replay", "try"}, path


async def test_an_analyst_neither_makes_keys_nor_users_nor_puts_policies_in_force(
    console: Console, stage: Stage
) -> None:
    stage.become(AdminRole.ANALYST, "acme")
    text = await (await console.get("/console")).text()
    assert "/console/users" not in text
    assert "/console/audit" not in text
    assert 'value="create"' not in await (await console.get("/console/keys")).text()
    assert 'value="activate"' not in await (await console.get("/console/policies/_/versions/2")).text()
    stage.fixed["source"] = "database"
    assert 'value="save"' in await (await console.get("/console/policies/_")).text()


async def test_somebody_of_a_tenant_is_about_that_tenant_whatever_the_address_says(
    console: Console, stage: Stage
) -> None:
    stage.become(AdminRole.TENANT_ADMIN, "acme")
    for path in ("/console/keys", "/console/policies", "/console/apps"):
        await console.get(path, params={"tenant": "globex"})
    assert {names.get("tenant") for _, names, _, _ in stage.asked} == {"acme"}
    await console.get("/console/decisions", params={"tenant": "globex"})
    assert stage.asked[-1][2]["tenant"] == "acme"


async def test_looking_at_the_overview_asks_for_nothing_that_the_role_may_not(console: Console, stage: Stage) -> None:
    stage.become(AdminRole.ANALYST, "acme")
    assert stage.principal is not None
    stage.principal = type(stage.principal)(
        **{name: getattr(stage.principal, name) for name in stage.principal.__dataclass_fields__}
        | {"granted": frozenset({"decisions:read"})}
    )
    assert (await console.get("/console")).status == 200
    assert {asked[0] for asked in stage.asked} == {"searchDecisions", "readAttention"}


def test_no_template_turns_the_escaping_off() -> None:
    files = sorted(TEMPLATES.glob("*.html"))
    assert len(files) > 20
    for file in files:
        assert not re.search(r"\|\s*safe|autoescape|style=|\son[a-z]+=\"", file.read_text()), file.name
