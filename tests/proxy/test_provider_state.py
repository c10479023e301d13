"""What a request may lean on, and what happens when nobody can tell."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from detectors.errors import DatabaseUnavailableError, EdgeError
from proxy.codec import Reference
from proxy.exchange import Exchange
from proxy.parts import Parts
from proxy.provider_state import hold_references, note_creations
from proxy.providers.openai_chat import CODEC
from proxy.settings import UpstreamSettings
from proxy.telemetry.metrics import WorkerMetrics
from storage.types import Identity, ObjectName
from tests.proxy.conftest import MakePolicy

MADE = Reference("response", "resp_1", "/previous_response_id")
FOREIGN = Reference("file", "file-9", "/messages/0/content/1/file/file_id")
HERE = [UpstreamSettings(name=name, base_url="https://one.example/v1") for name in ("openai", "openai-two")]


@dataclass(slots=True)
class Objects:
    """As much of the store as is asked here, of the upstream `home`; `away` as the database can be."""

    known: set[ObjectName] = field(default_factory=lambda: {ObjectName("response", "resp_1")})
    away: bool = False
    home: str = "openai"

    async def unknown(self, _tenant: int, upstream: str, names: Collection[ObjectName]) -> frozenset[ObjectName]:
        self._insist()
        return frozenset(names) - (self.known if upstream == self.home else set())

    async def note(self, _tenant: int, _upstream: str, names: Collection[ObjectName], _decision: str) -> int:
        self._insist()
        self.known |= set(names)
        return len(names)

    def _insist(self) -> None:
        if self.away:
            raise DatabaseUnavailableError


@pytest.fixture
def objects() -> Objects:
    return Objects()


@pytest.fixture
def parts(objects: Objects) -> Parts:
    return cast("Parts", SimpleNamespace(objects=objects, metrics=WorkerMetrics(0)))


@pytest.fixture
def exchange(make_policy: MakePolicy) -> Exchange:
    opened = Exchange.open(None, "POST /v1/responses", "")
    opened.identity, opened.policy, opened.upstream = Identity(1, "acme", 1, "shop", 1), make_policy(""), "openai"
    return opened


async def test_a_request_may_lean_on_what_was_made_here(parts: Parts, exchange: Exchange) -> None:
    await hold_references(parts, exchange, CODEC, [MADE], HERE)
    with pytest.raises(EdgeError) as caught:
        await hold_references(parts, exchange, CODEC, [MADE, FOREIGN], HERE)
    assert (caught.value.status, caught.value.code) == (404, "object_not_found")
    assert caught.value.param == "messages[0].content[1].file.file_id"
    assert FOREIGN.id not in caught.value.message


async def test_of_several_upstreams_the_one_is_asked_that_has_the_object(
    parts: Parts, exchange: Exchange, objects: Objects
) -> None:
    objects.home = "openai-two"
    assert await hold_references(parts, exchange, CODEC, [MADE], HERE) == HERE[1:]
    assert exchange.upstream == "openai-two"


async def test_a_policy_may_open_it_to_any_object(parts: Parts, exchange: Exchange, make_policy: MakePolicy) -> None:
    exchange.policy = make_policy("references: any")
    await hold_references(parts, exchange, CODEC, [FOREIGN], HERE)


async def test_where_nobody_can_tell_nobody_leans_on_anything(
    parts: Parts, exchange: Exchange, objects: Objects
) -> None:
    objects.away = True
    with pytest.raises(EdgeError) as caught:
        await hold_references(parts, exchange, CODEC, [MADE], HERE)
    assert (caught.value.status, caught.value.code) == (503, "objects_unavailable")
    await hold_references(parts, exchange, CODEC, [], HERE)


async def test_what_an_answer_made_is_known_from_then_on(parts: Parts, exchange: Exchange) -> None:
    await note_creations(parts, exchange, [FOREIGN])
    await hold_references(parts, exchange, CODEC, [FOREIGN], HERE)


async def test_what_could_not_be_noted_is_counted(parts: Parts, exchange: Exchange, objects: Objects) -> None:
    objects.away = True
    await note_creations(parts, exchange, [FOREIGN])
    counted: Any = parts.metrics.take()
    assert b"promptshield_objects_unnoted_total" in b"".join(counted)
    objects.away = False
    with pytest.raises(EdgeError):
        await hold_references(parts, exchange, CODEC, [FOREIGN], HERE)
