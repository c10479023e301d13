"""What an exchange replaces is kept with what a provider stores, for its tenant, and comes back when that is named."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from detectors.errors import DatabaseUnavailableError
from detectors.types import Span
from policies.types import ActionName, Edit, Match, Pseudonym, Rule
from proxy.codec import Reference
from proxy.exchange import Exchange
from proxy.parts import Parts
from proxy.provider_state import hold_references, note_creations
from proxy.providers.openai_responses import CODEC
from proxy.pseudonyms.keeping import keep_with_conversations, name_values, restoration_of
from proxy.pseudonyms.restorable import Layout
from proxy.settings import UpstreamSettings
from proxy.telemetry.metrics import WorkerMetrics
from storage.keys.data_keys import DataKey
from storage.keys.house_keys import HouseKeys
from storage.types import Identity, ObjectName
from tests.proxy.conftest import MakePolicy

MAIL = "anna@example.org"
DOCUMENT = {"input": MAIL}
EDITS = [Edit("/input", Span(0, 16), Pseudonym("EMAIL"))]
RULES = (Rule("personal-data", Match(), ActionName.PSEUDONYMISE),)
HERE = [UpstreamSettings(name="openai", base_url="https://one.example/v1")]
RESPONSE, CONVERSATION = Reference("response", "resp_1"), Reference("conversation", "conv_1")


@dataclass(slots=True)
class Objects:
    """As much of the store as is asked here, which knows every object; `away` as the database can be."""

    kept: dict[tuple[int, str, ObjectName], bytes] = field(default_factory=dict)
    writes: int = 0
    away: bool = False

    async def unknown(self, *_: object) -> frozenset[ObjectName]:
        return frozenset()

    async def note(self, _tenant: int, _upstream: str, names: Collection[ObjectName], _decision: str) -> int:
        return len(names)

    async def keep_pseudonyms(self, tenant: int, upstream: str, sealed: Mapping[ObjectName, bytes]) -> None:
        self._insist()
        self.writes += 1
        self.kept |= {(tenant, upstream, name): value for name, value in sealed.items()}

    async def pseudonyms(self, tenant: int, upstream: str, names: Collection[ObjectName]) -> dict[ObjectName, bytes]:
        self._insist()
        return {name: self.kept[tenant, upstream, name] for name in names if (tenant, upstream, name) in self.kept}

    def _insist(self) -> None:
        if self.away:
            raise DatabaseUnavailableError


class Keys:
    async def live(self, tenant_id: int) -> DataKey:
        return await self.find(tenant_id, 1)

    async def find(self, tenant_id: int, generation: int) -> DataKey:
        return DataKey(tenant_id, generation, bytes([tenant_id]) * 32)


@pytest.fixture
def parts() -> Parts:
    house = HouseKeys(b"p" * 32, b"c" * 32, b"s" * 32, "", "", "")
    shared = SimpleNamespace(objects=Objects(), metrics=WorkerMetrics(0), data_keys=Keys(), house_keys=house)
    return cast("Parts", shared)


@pytest.fixture
def opened(make_policy: MakePolicy) -> Any:
    def open_exchange(tenant_id: int = 1, app_id: int = 1) -> Exchange:
        exchange = Exchange.open(None, "POST /v1/responses", "")
        exchange.identity, exchange.upstream = Identity(tenant_id, "acme", app_id, "shop", 1), "openai"
        exchange.policy = replace(make_policy(""), rules=RULES)
        return exchange

    return open_exchange


def replaced(parts: Parts, exchange: Exchange) -> str:
    (edit,) = name_values(parts, exchange, DOCUMENT, EDITS)
    return str(edit.replacement)


def said(exchange: Exchange, text: str) -> str:
    restoration = restoration_of(exchange)
    document = {"text": text}
    if restoration is not None:
        restoration.restore(document, Layout(("text",)))
    return document["text"]


def test_where_nothing_is_replaced_nothing_is_begun(parts: Parts, opened: Any) -> None:
    exchange, mask = opened(), [Edit("/input", Span(0, 16), "[EMAIL]")]
    assert name_values(parts, exchange, DOCUMENT, mask) == mask
    assert (exchange.pseudonyms, restoration_of(exchange)) == (None, None)


def test_tenants_and_apps_have_pseudonyms_of_their_own(parts: Parts, opened: Any) -> None:
    ours, again, other_app, theirs = opened(), opened(), opened(app_id=2), opened(tenant_id=2)
    assert replaced(parts, ours) == replaced(parts, again)
    assert len({replaced(parts, exchange) for exchange in (ours, other_app, theirs)}) == 3
    assert said(ours, replaced(parts, theirs)) == replaced(parts, theirs)


async def test_who_leans_on_a_response_knows_what_it_was_written_with(parts: Parts, opened: Any) -> None:
    name = replaced(parts, first := opened())
    await note_creations(parts, first, [RESPONSE])
    second = opened()
    await hold_references(parts, second, CODEC, [RESPONSE], HERE)
    assert said(second, name) == MAIL
    await note_creations(parts, second, [Reference("response", "resp_2")])
    await hold_references(parts, third := opened(), CODEC, [Reference("response", "resp_2")], HERE)
    assert said(third, name) == MAIL


async def test_nobody_else_does(parts: Parts, opened: Any) -> None:
    name = replaced(parts, first := opened())
    await note_creations(parts, first, [RESPONSE])
    for exchange, reference in ((opened(tenant_id=2), RESPONSE), (opened(), Reference("response", "resp_9"))):
        await hold_references(parts, exchange, CODEC, [reference], HERE)
        assert said(exchange, name) == name


async def test_a_conversation_learns_what_is_added_before_it_is_sent(parts: Parts, opened: Any) -> None:
    exchange = opened()
    await hold_references(parts, exchange, CODEC, [CONVERSATION], HERE)
    name = replaced(parts, exchange)
    await keep_with_conversations(parts, exchange)
    await hold_references(parts, reader := opened(), CODEC, [CONVERSATION], HERE)
    assert said(reader, name) == MAIL
    await keep_with_conversations(parts, reader)  # it has added nothing


async def test_an_object_that_a_stream_names_often_is_written_once(parts: Parts, opened: Any) -> None:
    replaced(parts, exchange := opened())
    for _ in range(3):
        await note_creations(parts, exchange, [RESPONSE])
    objects: Any = parts.objects
    assert objects.writes == 1
    assert MAIL.encode() not in b"".join(objects.kept.values())


async def test_while_the_database_is_away_pseudonyms_stay_and_that_is_counted(parts: Parts, opened: Any) -> None:
    objects: Any = parts.objects
    objects.away = True
    name = replaced(parts, exchange := opened())
    await note_creations(parts, exchange, [RESPONSE])
    await hold_references(parts, later := opened(), CODEC, [RESPONSE], HERE)
    assert said(later, name) == name
    counted: Any = parts.metrics.take()
    assert b"promptshield_pseudonyms_lost_total" in b"".join(counted)
