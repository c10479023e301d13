from __future__ import annotations

from aiohttp import web
from aiohttp.test_utils import TestClient

from proxy.control.access.types import AdminRole
from tests.proxy.control.console.conftest import Stage

Console = TestClient[web.Request, web.Application]


async def test_links_keep_to_the_tenant_one_looks_at(console: Console, stage: Stage) -> None:
    text = await (await console.get("/console/decisions", params={"tenant": "acme"})).text()
    assert 'href="/console/incidents?tenant=acme"' in text
    stage.become(AdminRole.ANALYST, "acme")
    assert 'href="/console/incidents"' in await (await console.get("/console/decisions")).text()


async def test_only_the_platform_s_own_people_choose_a_tenant(console: Console, stage: Stage) -> None:
    assert 'id="scope"' in await (await console.get("/console")).text()
    stage.become(AdminRole.TENANT_ADMIN, "acme")
    assert 'id="scope"' not in await (await console.get("/console")).text()


async def test_a_tenant_beyond_the_first_is_still_named_as_the_one_looked_at(console: Console, stage: Stage) -> None:
    text = await (await console.get("/console", params={"tenant": "the-500th"})).text()
    assert '<option value="the-500th" selected>' in text


async def test_the_script_gets_only_the_part_that_changes(console: Console, stage: Stage) -> None:
    for path in ("/console", "/console/decisions"):
        answer = await console.get(path, headers={"X-Console-Fragment": "live"})
        text = await answer.text()
        assert answer.status == 200
        assert "<html" not in text
        assert "data-id=" in text


async def test_a_part_that_there_is_not_is_the_page(console: Console, stage: Stage) -> None:
    for path, name in (("/console", "nothing"), ("/console/tenants", "content"), ("/console/tenants", "live")):
        answer = await console.get(path, headers={"X-Console-Fragment": name})
        assert answer.status == 200
        assert "<html" in await answer.text()


async def test_a_list_that_refreshes_itself_is_told_that_the_session_ended(console: Console, stage: Stage) -> None:
    stage.principal = None
    answer = await console.get("/console", headers={"X-Console-Fragment": "live"}, allow_redirects=False)
    assert answer.status == 401


async def test_what_was_done_is_said_once(console: Console, stage: Stage) -> None:
    assert "Saved as a draft" in await (await console.get("/console?said=draft")).text()
    assert "&lt;b&gt;" not in await (await console.get("/console?said=<b>")).text()


async def test_every_list_of_pages_leads_to_its_next_one(console: Console, stage: Stage) -> None:
    for name in ("apps", "exclusions", "keys", "limits", "policies", "reviews", "tenants", "users"):
        path = f"/console/{name}"
        assert 'rel="next"' in await (await console.get(path, params={"tenant": "acme"})).text(), path
        await console.get(path, params={"tenant": "acme", "after": "plain"})
        assert any(query and query.get("after") == "plain" for _, _, query, _ in stage.asked), path
        stage.asked.clear()
