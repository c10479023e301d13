from __future__ import annotations

from tests.proxy.control.house import House, refused


async def test_apps_are_made_listed_and_found(house: House) -> None:
    names = {"tenant": house.acme.slug}
    made = await house.do("createApp", names, body={"name": "bot"})
    assert await house.do("readApp", {**names, "app": "bot"}) == made
    page = await house.do("listApps", names, {"limit": "1"})
    rest = await house.do("listApps", names, {"limit": "1", "after": page.next})
    assert [app.name for app in (*page.items, *rest.items)] == ["default", "bot"]
    assert rest.next is None


async def test_an_app_that_is_there_or_cannot_be_is_refused(house: House) -> None:
    names = {"tenant": house.acme.slug}
    with refused(409):
        await house.do("createApp", names, body={"name": "default"})
    for name in ("_", "Bot", "../x", "", "x" * 64):
        with refused(422, field="name"):
            await house.do("createApp", names, body={"name": name})
    for name in ("bot.tests", "words.txt"):  # whose policies would be other files
        with refused(409, "refused"):
            await house.do("createApp", names, body={"name": name})
    with refused(404):
        await house.do("readApp", {**names, "app": "not-there"})
