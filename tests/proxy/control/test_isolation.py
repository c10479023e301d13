"""One tenant's administrator against another tenant's things, through every operation there is (docs/control-api.md).

`make isolation` makes 10,000 calls; the gate makes fewer of the same. ATTACKS says how many.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
import pytest

from proxy.control.access.types import AdminRole
from proxy.control.catalogue import all_operations
from proxy.control.openapi import openapi
from proxy.control.parts import ControlParts
from proxy.judging.settings import JudgeSettings
from storage.tenants.tenancy import Tenancy
from storage.types import Tenant
from storage.uuid7 import uuid7
from tests.proxy.control.attacks import Attack, Attacker, bodies_of, names_of, operations_of
from tests.proxy.control.house import House
from tests.proxy.control.serving import Client, bearer, serving, token
from tests.proxy.control.stock import Stock
from tests.storage.conftest import RunStatement

ATTACKS: Final = int(os.environ.get("ATTACKS", "0"))
AT_LEAST: Final = 50 if ATTACKS else 8
JUDGE = JudgeSettings.model_validate({"name": "judge", "endpoint": "https://judge.example/v1", "model": "m"})
OWN_DECISIONS: Final = 3
# What a tenant's admin may not do at all; the platform does it to prove that the call was a good one.
BY_PLATFORM: Final = frozenset(
    {
        "createTenant", "changeTenant", "suspendTenant", "resumeTenant", "deleteTenant", "restoreTenant", "purgeTenant",
        "resetJudgeBreaker", "verifyAuditEvents", "createIssuer", "removeIssuer",
    }
)  # fmt: skip
# Those that need what others did, and those that end something, come last, in this order.
LAST: Final = (
    "rollBackPolicy", "withdrawPolicy", "rejectReview", "revokeKey", "revokeServiceAccount", "removeIssuer",
    "endSessions", "suspendTenant", "resumeTenant", "deleteTenant", "purgeTenant", "restoreTenant",
)  # fmt: skip
# Not before three days have passed; nothing is learned from a text that is not kept (test_decisions.py); and programs
# approve nothing, people do (test_policies.py).
EXPECTED: Final = {"purgeTenant": 409, "labelDecision": 409, "approvePolicyVersion": 403}


@pytest.fixture
def house(house: House) -> House:
    values = {name: getattr(house.parts, name) for name in ControlParts.__dataclass_fields__}
    values["settings"] = house.parts.settings.model_copy(update={"judges": (JUDGE,)})
    return House(ControlParts(**values), house.acme, house.globex)


@pytest.mark.timeout(1500 if ATTACKS else 300)
async def test_nothing_of_another_tenant_comes_back_or_changes(
    house: House, stock: Stock, others_stock: Stock, as_superuser: RunStatement
) -> None:
    document = openapi(all_operations().values())
    async with serving(house.parts) as client:
        theirs = bearer(await token(house.parts, AdminRole.TENANT_ADMIN, house.globex))
        cursors = {
            one["operationId"]: await _cursor(client, path, theirs, others_stock)
            for path, method, one in operations_of(document)
            if method == "get"
        }
        attacker = Attacker(document, stock, others_stock, cursors)
        before = await _everything_of(as_superuser, house.globex)
        tried = await _attack(client, house, attacker)
        assert await _everything_of(as_superuser, house.globex) == before
        assert len(tried) == len(all_operations())
        assert min(tried.values()) >= AT_LEAST
        await _succeed(client, house, others_stock)


async def _attack(client: Client, house: House, attacker: Attacker) -> Counter[str]:
    tried: Counter[str] = Counter()
    headers = {}
    for number, attack in enumerate(attacker.attacks(AT_LEAST, ATTACKS)):
        if number % 1500 == 0:  # a token is good for ten minutes
            headers = bearer(await token(house.parts, AdminRole.TENANT_ADMIN, house.acme))
        async with client.request(
            attack.method, attack.url, json=attack.body, headers={**attack.headers, **headers}
        ) as response:
            raw = await response.read()
        tried[attack.operation] += 1
        assert response.status < 500, (attack, raw)
        _insist_on_own(attack, raw, attacker)
    return tried


def _insist_on_own(attack: Attack, raw: bytes, attacker: Attacker) -> None:
    """Nothing that only the other tenant wrote, no row of its, and no id of its in an answer."""
    others = attacker.others
    assert others.secret.encode() not in raw, attack
    document = orjson.loads(raw)
    if "error" in document:
        assert set(document["error"]) <= {"code", "message", "field", "problems"}
        for word in (others.decision, others.tenant, others.app, others.model):
            assert word not in document["error"]["message"], attack
        return
    for name, value in _leaves(document):
        assert value not in {others.decision, others.quiet_decision, others.second_review}, attack
        assert name != "tenant" or value in {None, attacker.own.tenant}, attack
        assert attack.method != "GET" or value not in {others.tenant, others.model, others.request_id}, attack
    if attack.operation == "readUsage":
        assert document["total"]["decisions"] == OWN_DECISIONS, attack
        assert sum(point["decisions"] for point in document["series"]) in {0, OWN_DECISIONS}, attack


def _leaves(document: Any, name: str = "") -> list[tuple[str, Any]]:
    if isinstance(document, dict):
        return [leaf for key, value in document.items() for leaf in _leaves(value, key)]
    if isinstance(document, list):
        return [leaf for value in document for leaf in _leaves(value, name)]
    return [(name, document)]


async def _cursor(client: Client, path: str, headers: dict[str, str], stock: Stock) -> str | None:
    """A place in one of the other tenant's lists, as it was given to that tenant."""
    url = path.format(**names_of(stock))
    async with client.get(f"{url}?limit=1", headers=headers) as response:
        answer = await response.json()
    found = answer.get("next") if isinstance(answer, dict) else None
    return None if found is None else str(found)


async def _everything_of(as_superuser: RunStatement, tenant: Tenant) -> dict[str, Any]:
    """A digest of every row that names a tenant, table by table."""
    tables = await as_superuser(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid"
        " JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE a.attname = 'tenant_id' AND c.relkind IN ('r', 'p')"
        " AND NOT c.relispartition AND n.nspname IN ('public', 'private')"
    )
    found = {}
    for (table,) in tables:
        digest = (
            f"SELECT count(*), md5(string_agg(r::text, '|' ORDER BY r::text)) FROM {table} AS r WHERE tenant_id = $1"  # noqa: S608 - names of the catalogue
        )
        found[table] = await as_superuser(digest, tenant.id)
    versions = "SELECT count(*) FROM private.policy_versions WHERE name = $1 OR starts_with(name, $1 || '/')"
    found["policies"] = await as_superuser(versions, tenant.slug)
    found["tenant"] = await as_superuser("SELECT t::text FROM public.tenants AS t WHERE id = $1", tenant.id)
    return found


async def _succeed(client: Client, house: House, stock: Stock) -> None:
    """The same calls by whoever may make them: what was refused above was refused for who asked."""
    own = bearer(await token(house.parts, AdminRole.TENANT_ADMIN, house.globex))
    chief = bearer(await token(house.parts, AdminRole.PLATFORM_ADMIN))
    operations = {one["operationId"]: (path, method) for path, method, one in operations_of(_document())}
    order = [*(name for name in operations if name not in LAST), *LAST]
    assert sorted(order) == sorted(operations)
    for name in order:
        path, method = operations[name]
        names = names_of(stock)
        if name == "rejectReview":
            names["decision"] = stock.second_review
        if "versions" in path or "polic" in name.lower():
            names["app"] = "_"
        body = bodies_of(stock).get(name)
        headers = chief if name in BY_PLATFORM else own
        async with client.request(method, path.format(**names), json=body, headers=headers) as response:
            raw = await response.read()
        wanted = EXPECTED.get(name)
        assert response.status == wanted if wanted else response.status < 300, (name, response.status, raw)


def _document() -> dict[str, Any]:
    return openapi(all_operations().values())


async def test_how_long_it_takes_says_nothing(house: House, others_stock: Stock) -> None:
    """B exists or not: less than a millisecond apart in the median, for slugs, decisions and keys."""
    own = {"tenant": house.acme.slug}
    pairs: list[tuple[str, dict[str, str], Callable[[], dict[str, str]]]] = [
        ("readTenant", {"tenant": others_stock.tenant}, lambda: {"tenant": f"globex-{uuid7()[:13].replace('-', '')}"}),
        ("readDecision", {"decision": others_stock.decision}, lambda: {"decision": uuid7()}),
        ("readKey", own | {"key": str(others_stock.key)}, lambda: own | {"key": str(others_stock.key + 10**6)}),
        ("readIncident", {"incident": str(others_stock.incident)}, lambda: {"incident": str(10**9)}),
    ]
    for _ in range(70):  # until denials are no longer noted one by one: what a commit takes is noise
        await _seconds(house, "readTenant", {"tenant": others_stock.tenant})
    for operation, theirs, nobodys in pairs:
        # A difference that is one is there every time; what a busy machine adds is not.
        differences = [await _difference(house, operation, theirs, nobodys) for _ in range(8)]
        assert min(differences) < 0.001, (operation, differences)


async def _difference(
    house: House, operation: str, theirs: dict[str, str], nobodys: Callable[[], dict[str, str]]
) -> float:
    """How far apart the medians are, in seconds, asked in turn."""
    there, not_there = list[float](), list[float]()
    for turn in range(24):
        names, kept = (theirs, there) if turn % 2 else (nobodys(), not_there)
        kept.append(await _seconds(house, operation, names))
    return abs(statistics.median(there) - statistics.median(not_there))


async def _seconds(house: House, operation: str, names: dict[str, str]) -> float:
    started = time.perf_counter()
    answer: Awaitable[Any] = house.do(operation, names)
    results = await asyncio.gather(answer, return_exceptions=True)
    assert isinstance(results[0], Exception)
    return time.perf_counter() - started


async def test_a_suspended_tenants_admin_still_reads_and_a_deleted_ones_does_not(house: House) -> None:
    async with serving(house.parts) as client:
        headers = bearer(await token(house.parts, AdminRole.TENANT_ADMIN, house.acme))
        path = f"/api/v1/tenants/{house.acme.slug}"
        await Tenancy(house.parts.database).suspend(house.acme.id)
        assert (await client.get(path, headers=headers)).status == 200
        await Tenancy(house.parts.database).delete(house.acme.id)
        assert (await client.get(path, headers=headers)).status in {401, 404}
