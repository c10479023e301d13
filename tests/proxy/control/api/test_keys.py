from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storage.tenants.api_keys import ApiKeyStore, hash_key, well_formed
from storage.tenants.key_book import KeyBook
from tests.proxy.control.house import House, refused
from tests.proxy.control.stock import Stock
from tests.storage.conftest import RunStatement


async def test_a_key_is_made_for_an_app_and_shown_once(house: House) -> None:
    names = {"tenant": house.acme.slug}
    made = await house.do("createKey", names, body={"app": "bot", "scopes": ["openai"], "models": ["gpt-*"]})
    assert well_formed(made.secret)
    assert (made.key.app, made.key.state, made.key.scopes, made.key.models) == ("bot", "live", ["openai"], ["gpt-*"])
    shown = await house.do("readKey", {**names, "key": str(made.key.id)})
    assert made.secret not in shown.model_dump_json()
    apps = await house.do("listApps", names)
    assert [(app.name, app.live_keys) for app in apps.items] == [("default", 0), ("bot", 1)]


async def test_an_app_has_one_live_key_unless_another_one_is_asked_for(house: House) -> None:
    names = {"tenant": house.acme.slug}
    await house.do("createKey", names, body={})
    with refused(409, "refused"):
        await house.do("createKey", names, body={})
    assert (await house.do("createKey", names, body={"additional": True})).key.app == "default"
    assert (await house.do("createKey", names, body={"app": "other"})).key.app == "other"


async def test_rotation_leaves_the_old_key_for_a_while(house: House) -> None:
    names = {"tenant": house.acme.slug}
    old = await house.do("createKey", names, body={"scopes": ["openai"]})
    new = await house.do("rotateKey", {**names, "key": str(old.key.id)}, body={"overlap_minutes": 30})
    was = await house.do("readKey", {**names, "key": str(old.key.id)})
    assert (was.rotated_to, new.key.scopes) == (new.key.id, ["openai"])
    assert timedelta(minutes=29) < was.expires_at - datetime.now(UTC) <= timedelta(minutes=30)
    store = ApiKeyStore(house.parts.database, house.parts.house_keys.pepper)
    for secret in (old.secret, new.secret):
        assert await store.find(hash_key(house.parts.house_keys.pepper, secret)) is not None
    with refused(409):
        await house.do("rotateKey", {**names, "key": str(old.key.id)}, body={})
    # The app's one live key is the new one, and it can be rotated in its turn.
    await house.do("rotateKey", {**names, "key": str(new.key.id)}, body={"overlap_minutes": 0})
    assert await store.find(hash_key(house.parts.house_keys.pepper, new.secret)) is None


async def test_limits_change_and_are_taken_away(house: House) -> None:
    names = {"tenant": house.acme.slug}
    made = await house.do("createKey", names, body={"models": ["gpt-*"]})
    one = {**names, "key": str(made.key.id)}
    end = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert (await house.do("changeKey", one, body={"expires_at": end})).models == ["gpt-*"]
    changed = await house.do("changeKey", one, body={"models": None, "name": "laptop"})
    assert (changed.models, changed.name, changed.expires_at.isoformat()) == (None, "laptop", end)
    with refused(422, field="expires_at"):
        await house.do("changeKey", one, body={"expires_at": "2020-01-01T00:00:00Z"})
    with refused(422, field="scopes.0"):
        await house.do("changeKey", one, body={"scopes": ["a\nb"]})


async def test_a_revoked_key_stays_revoked(house: House, stock: Stock) -> None:
    one = {"tenant": stock.tenant, "key": str(stock.key)}
    assert (await house.do("revokeKey", one)).state == "revoked"
    for operation, body in (("revokeKey", None), ("rotateKey", {}), ("changeKey", {"name": "x"})):
        with refused(409):
            await house.do(operation, one, body=body)
    listed = await house.do("listKeys", {"tenant": stock.tenant}, {"state": "revoked", "app": stock.app})
    assert [key.id for key in listed.items] == [stock.key]


async def test_another_tenants_keys_are_not_there(house: House, others_stock: Stock) -> None:
    for tenant in (house.acme.slug, house.globex.slug):
        for operation, body in (("readKey", None), ("revokeKey", None), ("rotateKey", {}), ("changeKey", {})):
            with refused(404):
                await house.do(operation, {"tenant": tenant, "key": str(others_stock.key)}, body=body)
    for odd in ("x", "-1", "0", "9" * 30, "1.5", "\u0661"):
        with refused(404):
            await house.do("readKey", {"tenant": house.acme.slug, "key": odd})


async def test_what_is_not_named_stays_as_it_is_by_now(house: House) -> None:
    names = {"tenant": house.acme.slug}
    made = await house.do("createKey", names, body={"models": ["gpt-*"]})
    book = KeyBook(house.parts.database, house.acme.id)
    stale = await book.find(made.key.id)
    assert stale is not None
    await house.do("changeKey", {**names, "key": str(made.key.id)}, body={"models": ["gpt-4*"]})
    await book.change(stale, {"name": "laptop"})  # by somebody who has seen the key before that
    kept = await book.find(made.key.id)
    assert kept is not None
    assert (kept.name, kept.models) == ("laptop", ("gpt-4*",))


async def test_the_end_of_a_rotated_key_is_not_put_off(house: House) -> None:
    names = {"tenant": house.acme.slug}
    old = await house.do("createKey", names, body={})
    await house.do("rotateKey", {**names, "key": str(old.key.id)}, body={"overlap_minutes": 30})
    one = {**names, "key": str(old.key.id)}
    later, sooner = (datetime.now(UTC) + timedelta(minutes=minutes) for minutes in (90, 5))
    for end in (later.isoformat(), None):
        with refused(409, "refused"):
            await house.do("changeKey", one, body={"expires_at": end})
    assert (await house.do("changeKey", one, body={"expires_at": sooner.isoformat()})).expires_at == sooner
    assert (await house.do("changeKey", one, body={"name": "old"})).expires_at == sooner


@pytest.mark.parametrize("days", [None, 30])
async def test_a_key_that_has_ended_does_not_come_back_beside_a_live_one(
    house: House, as_superuser: RunStatement, days: int | None
) -> None:
    names = {"tenant": house.acme.slug}
    old = await house.do("createKey", names, body={})
    await as_superuser("UPDATE public.api_keys SET expires_at = now() - interval '1 s' WHERE id = $1", old.key.id)
    new = await house.do("createKey", names, body={})
    one = {**names, "key": str(old.key.id)}
    later = {"expires_at": None if days is None else (datetime.now(UTC) + timedelta(days=days)).isoformat()}
    with refused(409, "refused"):
        await house.do("changeKey", one, body=later)
    assert (await house.do("changeKey", one, body={"name": "old"})).state == "expired"
    await house.do("revokeKey", {**names, "key": str(new.key.id)})
    assert (await house.do("changeKey", one, body=later)).state == "live"
