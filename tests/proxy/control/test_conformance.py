"""Whatever is sent, answers are what docs/openapi.json says, and never a 5xx: tried by schemathesis on every operation.

SCHEMATHESIS is how many cases of each kind for each operation; `make isolation` tries more than the gate does.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from proxy.app import Detection, load_detection
from proxy.control.access.types import AdminRole
from proxy.control.catalogue import all_operations
from proxy.control.openapi import openapi
from proxy.control.parts import ControlParts
from proxy.settings import Settings
from storage.embedded import EngineUrls
from storage.postgres import Database
from storage.redis_client import RedisClient
from storage.tenants.tenants import TenantStore
from tests.proxy.control.attacks import names_of
from tests.proxy.control.conftest import parts_of
from tests.proxy.control.house import House
from tests.proxy.control.serving import bearer, serving, token
from tests.proxy.control.stock import stocked
from tests.proxy.control.test_isolation import LAST
from tests.storage.conftest import DatabaseUrls, new_record

CASES: Final = int(os.environ.get("SCHEMATHESIS", "1"))
pytestmark = pytest.mark.slow
DOCUMENT: Final = openapi(all_operations().values())
IDS: Final = sorted(all_operations(), key=lambda name: (LAST.index(name) + 1 if name in LAST else 0, name))
CHECKS: Final = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@dataclass(frozen=True, slots=True)
class Plane:
    """A control plane that listens, a token of the platform's, and the names of what a tenant has."""

    url: str
    headers: dict[str, str]
    names: dict[str, Any]


@pytest.fixture(scope="module")
def plane(engines: EngineUrls, migrated: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """It lives in a thread of its own: schemathesis calls and waits."""
    folder = tmp_path_factory.mktemp("data")
    started, stopping, known = threading.Event(), threading.Event(), dict[str, Plane]()

    async def run() -> None:
        database = await Database.connect(migrated.url, size=4)
        redis = RedisClient.connect(engines.redis_url, timeout=2)
        parts = _parts(folder, database, redis, load_detection())
        tenants = TenantStore(database)
        house = House(parts, await tenants.create("conforming"), await tenants.create("beside"))
        stock = await stocked(house, house.acme, new_record)
        async with serving(parts) as client:
            headers = bearer(await token(parts, AdminRole.PLATFORM_ADMIN))
            known["plane"] = Plane(str(client.make_url("")), headers, names_of(stock))
            started.set()
            await asyncio.to_thread(stopping.wait)
        await redis.close()
        await database.close()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert started.wait(60)
    yield known["plane"]
    stopping.set()
    thread.join(30)


def _parts(folder: Path, database: Database, redis: RedisClient, detection: Detection) -> ControlParts:
    options = Settings(data=folder)
    options.policies_folder.mkdir()
    return parts_of(options, database, redis, detection)


@pytest.mark.parametrize("name", IDS)
def test_an_answer_is_what_the_document_says(plane: Plane, name: str) -> None:
    """Good and bad cases, half of them about what is there."""
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    operation = schema.find_operation_by_id(name)
    path = all_operations()[name].path
    names = {key: value for key, value in plane.names.items() if f"{{{key}}}" in path}
    kinds = [
        operation.as_strategy(generation_mode=mode, path_parameters=given_names)
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
        for given_names in ({None: None, "names": names}[key] for key in ([None, "names"] if names else [None]))
        if mode is schemathesis.GenerationMode.POSITIVE or operation.body or operation.query
    ]

    @given(case=st.one_of(kinds))
    @settings(
        max_examples=CASES * len(kinds),
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def try_one(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(base_url=plane.url, headers=plane.headers, checks=CHECKS)

    try_one()
