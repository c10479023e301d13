"""Whose key it is: asked once, believed until something changes, and never believed for too long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf

import pytest

from detectors.errors import DatabaseUnavailableError, EdgeError, IdentityError
from proxy import identity as room
from proxy.identity import UNKNOWN_FOR, KeyDirectory, Presented, presented_key
from proxy.providers.openai_chat import CODEC
from storage.revisions import Revisions
from storage.tenants.api_keys import generate_key, hash_key
from storage.types import Identity

PEPPER = b"pepper"
ACME = Identity(1, "acme", 2, "shop", 3)
KEY, OTHER = generate_key(), generate_key()


@dataclass(slots=True)
class Database:
    """What the key table and the revisions row say, and how often the table was asked."""

    keys: dict[bytes, Identity] = field(default_factory=dict)
    revisions: Revisions = field(default_factory=lambda: Revisions(1, 1))
    away: bool = False
    asked: int = 0
    seconds: float = 1000.0
    pause: asyncio.Event | None = None

    async def find(self, hash: bytes) -> Identity | None:  # noqa: A002 - the store's own word
        self.asked += 1
        self._insist()
        found = self.keys.get(hash)
        if self.pause is not None:
            await self.pause.wait()
        return found

    async def read(self) -> Revisions:
        self._insist()
        return self.revisions

    def _insist(self) -> None:
        if self.away:
            raise DatabaseUnavailableError


@pytest.fixture
def database() -> Database:
    return Database({hash_key(PEPPER, KEY): ACME})


class Tokens:
    """A reader of tokens that counts; each is believed until `until` (epoch seconds)."""

    def __init__(self) -> None:
        self.asked, self.forgotten, self.until = 0, 0, inf
        self.known = True

    async def find(self, _token: str) -> Identity | None:
        self.asked += 1
        return Identity(1, "acme", 2, "shop", 0, self.until) if self.known else None

    def forget(self) -> None:
        self.forgotten += 1


TOKEN = "eyJhbGciOiJFZERTQSJ9.e30.AAAA"


async def test_a_token_is_read_once_and_again_when_something_has_changed(database: Database) -> None:
    tokens = Tokens()
    directory = KeyDirectory(database, database.read, PEPPER, 300, lambda: database.seconds, tokens=tokens)
    await directory.check()
    for _ in range(3):
        assert (await directory.identify(TOKEN)).key_id == 0
    assert (tokens.asked, database.asked) == (1, 0)
    database.revisions = Revisions(2, 1)
    await directory.check()
    tokens.known = False
    with pytest.raises(IdentityError, match="unknown"):
        await directory.identify(TOKEN)
    assert tokens.forgotten == 2


async def test_a_token_that_was_believed_long_enough_is_read_anew(database: Database) -> None:
    tokens = Tokens()
    tokens.until = 0.0
    directory = KeyDirectory(database, database.read, PEPPER, 300, lambda: database.seconds, tokens=tokens)
    await directory.check()
    with pytest.raises(IdentityError, match="expired"):
        await directory.identify(TOKEN)
    tokens.until = inf
    assert (await directory.identify(TOKEN)).tenant == "acme"


@pytest.mark.parametrize("key", ["", "x.y.z", "eyJ", "eyJ.a", "Bearer eyJ.a.b.c"])
async def test_what_is_neither_key_nor_token_is_not_asked_about(database: Database, key: str) -> None:
    tokens = Tokens()
    directory = KeyDirectory(database, database.read, PEPPER, 300, lambda: database.seconds, tokens=tokens)
    await directory.check()
    with pytest.raises(IdentityError, match="malformed"):
        await directory.identify(key)
    assert (tokens.asked, database.asked) == (0, 0)


@pytest.fixture
async def keys(database: Database) -> KeyDirectory:
    directory = KeyDirectory(database, database.read, PEPPER, 300, lambda: database.seconds)
    await directory.check()
    return directory


async def test_a_known_key_names_its_tenant_and_is_asked_for_once(keys: KeyDirectory, database: Database) -> None:
    assert [await keys.identify(KEY) for _ in range(3)] == [ACME] * 3
    assert database.asked == 1


@pytest.mark.parametrize(
    "key",
    ["", "null", "sk-1234", KEY[:-1], KEY + "x", KEY.upper(), f"{KEY}\n", "sk-ps-\udcff", "é" * 44, "x" * 100_000],
    ids=lambda key: f"{len(key)} characters",  # a fresh key in a test's name would differ from run to run
)
async def test_what_cannot_be_a_key_is_told_without_asking(keys: KeyDirectory, database: Database, key: str) -> None:
    with pytest.raises(IdentityError) as caught:
        await keys.identify(key)

    assert (caught.value.unavailable, database.asked) == (False, 0)


async def test_an_unknown_key_is_asked_for_again_only_after_a_while(keys: KeyDirectory, database: Database) -> None:
    for _ in range(3):
        with pytest.raises(IdentityError, match="unknown"):
            await keys.identify(OTHER)
    assert database.asked == 1

    database.keys[hash_key(PEPPER, OTHER)] = ACME
    database.seconds += UNKNOWN_FOR + 1
    assert await keys.identify(OTHER) == ACME


async def test_a_change_anywhere_makes_everything_be_asked_again(keys: KeyDirectory, database: Database) -> None:
    await keys.identify(KEY)
    database.keys.clear()  # revoked
    database.revisions = Revisions(2, 1)
    await keys.check()

    with pytest.raises(IdentityError, match="unknown"):
        await keys.identify(KEY)


async def test_no_change_forgets_nothing(keys: KeyDirectory, database: Database) -> None:
    await keys.identify(KEY)
    await keys.check()
    await keys.identify(KEY)

    assert database.asked == 1


async def test_an_answer_that_was_under_way_during_a_change_is_not_remembered(
    keys: KeyDirectory, database: Database
) -> None:
    database.pause = asyncio.Event()
    asking = asyncio.ensure_future(keys.identify(KEY))
    await asyncio.sleep(0)
    database.keys.clear()  # revoked, after the answer was read and before it arrived
    database.revisions = Revisions(2, 1)
    await keys.check()
    database.pause.set()
    await asking

    with pytest.raises(IdentityError, match="unknown"):
        await keys.identify(KEY)


async def test_while_the_database_is_away_known_keys_stay_valid_for_so_long(
    keys: KeyDirectory, database: Database
) -> None:
    await keys.identify(KEY)
    database.away = True
    database.seconds += 299
    await keys.check()
    assert (await keys.identify(KEY), keys.confirmed, keys.fresh) == (ACME, False, True)

    database.seconds += 2
    with pytest.raises(IdentityError) as caught:
        await keys.identify(KEY)
    assert caught.value.unavailable
    assert not keys.fresh


async def test_when_the_database_is_back_known_keys_are_confirmed(keys: KeyDirectory, database: Database) -> None:
    await keys.identify(KEY)
    database.seconds += 1000
    await keys.check()

    assert await keys.identify(KEY) == ACME


async def test_a_key_that_nobody_can_look_up_is_unavailable_and_not_unknown(
    keys: KeyDirectory, database: Database
) -> None:
    database.away = True
    with pytest.raises(IdentityError) as caught:
        await keys.identify(KEY)
    assert caught.value.unavailable

    database.away = False
    assert await keys.identify(KEY) == ACME


async def test_whoever_has_never_reached_the_database_is_not_fresh(database: Database) -> None:
    database.away = True
    directory = KeyDirectory(database, database.read, PEPPER, 300, lambda: database.seconds)
    await directory.check()
    assert not directory.fresh

    database.away = False
    await directory.check()
    assert directory.fresh


async def test_a_flood_of_guesses_does_not_push_out_a_key_in_use(
    keys: KeyDirectory, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "REMEMBERED", 4)
    await keys.identify(KEY)
    for _ in range(20):
        with pytest.raises(IdentityError):
            await keys.identify(generate_key())
        await keys.identify(KEY)

    assert database.asked == 21
    assert len(keys._known) <= 4


async def test_at_most_eight_look_ups_run_at_once(keys: KeyDirectory, database: Database) -> None:
    database.pause = asyncio.Event()
    asking = [asyncio.ensure_future(keys.identify(generate_key())) for _ in range(30)]
    await asyncio.sleep(0.001)
    assert database.asked == 8

    database.pause.set()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(outcome, IdentityError) for outcome in outcomes)


async def test_the_check_goes_on_by_itself(keys: KeyDirectory, database: Database) -> None:
    await keys.identify(KEY)
    checking = asyncio.ensure_future(keys.check_forever(interval=0.001))
    database.away = True
    await asyncio.sleep(0.005)
    assert not keys.confirmed
    database.away = False
    await asyncio.sleep(0.005)
    checking.cancel()

    assert keys.confirmed


@pytest.mark.parametrize(
    ("headers", "presented"),
    [
        ({"Authorization": f"Bearer {KEY}"}, Presented(KEY, own_header=False)),
        ({"Authorization": f"bearer  {KEY} "}, Presented(KEY, own_header=False)),
        ({"api-key": KEY}, Presented(KEY, own_header=False)),
        ({"x-promptshield-key": KEY}, Presented(KEY, own_header=True)),
        ({"x-promptshield-key": KEY, "Authorization": "Bearer sk-theirs"}, Presented(KEY, own_header=True)),
    ],
)
def test_our_key_comes_from_its_own_header_or_else_the_dialects(
    headers: Mapping[str, str], presented: Presented
) -> None:
    assert presented_key(headers, CODEC.credential(headers, "")) == presented


@pytest.mark.parametrize(
    "headers",
    [
        {"x-promptshield-key": "", "Authorization": f"Bearer {KEY}"},
        {"x-promptshield-key": OTHER, "Authorization": f"Bearer {KEY}"},
        {"x-promptshield-key": OTHER, "api-key": KEY},
    ],
)
def test_a_key_of_ours_is_never_taken_for_the_clients_own_credential(headers: Mapping[str, str]) -> None:
    assert not presented_key(headers, CODEC.credential(headers, "")).own_header


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer  "},
        {"Authorization": f"Basic {KEY}"},
    ],
)
def test_no_key_is_said_so(headers: Mapping[str, str]) -> None:
    with pytest.raises(EdgeError) as caught:
        presented_key(headers, CODEC.credential(headers, ""))

    assert (caught.value.status, caught.value.code) == (401, "missing_api_key")


async def test_a_key_that_ends_while_it_is_known_is_unknown_from_then_on(
    keys: KeyDirectory, database: Database
) -> None:
    for ends, known in ((time.time() + 60, True), (time.time() - 0.001, False)):
        database.keys[hash_key(PEPPER, OTHER)] = replace(ACME, expires_at=ends)
        database.revisions = Revisions(database.revisions.identities + 1, 1)
        await keys.check()
        if known:
            assert (await keys.identify(OTHER)).expires_at == ends
        else:
            with pytest.raises(IdentityError):
                await keys.identify(OTHER)
