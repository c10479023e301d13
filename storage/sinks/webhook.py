"""Decisions as signed calls of somebody's endpoint, in the form of https://www.standardwebhooks.com."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final, Literal, get_args

from pydantic import Field, field_validator

from detectors.errors import StorageError, UnavailableError
from storage.egress import Egress
from storage.published import json_line, published_row
from storage.sink import SinkFactory, SinkSettings, Surroundings
from storage.sinks._http import HttpSettings, Pause
from storage.types import DecisionRecord

_REMEMBERED: Final = 20_000
_AGENT: Final = "PromptShield"
Action = Literal["allow", "flag", "pseudonymise", "mask", "block", "error"]


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_"), validate=True)


def _is_key(secret: str) -> bool:
    try:
        size = len(_key(secret))
    except ValueError:  # no base64, no ASCII
        return False
    return secret.startswith("whsec_") and 24 <= size <= 64


class WebhookSettings(HttpSettings, SinkSettings):
    """`secrets`: every one signs, so that a new one can be added before the old one goes. `tenants`: ids; none = all.

    Ids, not slugs: a slug may be given anew to somebody else.
    """

    secrets: tuple[str, ...] = Field(repr=False)
    on: tuple[Action, ...] = ("block",)
    tenants: tuple[int, ...] = ()
    concurrency: int = Field(default=8, gt=0, le=64)

    @field_validator("secrets")
    @classmethod
    def _are_keys(cls, secrets: tuple[str, ...]) -> tuple[str, ...]:
        if not 1 <= len(secrets) <= 4 or not all(_is_key(secret) for secret in secrets):
            raise ValueError("expected 1 to 4 of whsec_ and 24 to 64 random bytes in base64 (openssl rand -base64 32)")
        return secrets


class WebhookSink:
    """One call for each decision, `webhook-id` its id: receivers keep what they know already once. `told` are the
    actions of which it is told for their own sake, whatever else there is to say.

    Calls of a batch run beside each other, in no order. What was delivered is remembered, so that a batch that comes
    again, because of one record or a pause, does not repeat it; only a crash does.
    """

    def __init__(
        self,
        settings: WebhookSettings,
        clock: Callable[[], float] = time.time,
        pause: Pause | None = None,
        told: Collection[str] = get_args(Action),
    ) -> None:
        self._settings, self._clock, self._told = settings, clock, told
        self._keys = tuple(_key(secret) for secret in settings.secrets)
        self._egress = Egress(settings.destination, settings.concurrency)
        self._pause = pause or Pause(settings.label)
        self._settled: OrderedDict[str, str] = OrderedDict()  # what became of an id: "" or why it was refused

    @property
    def name(self) -> str:
        return self._settings.label

    async def write(self, records: Sequence[DecisionRecord]) -> None:
        wanted = [record for record in records if self._wants(record)]
        waiting = iter([record for record in wanted if record.id not in self._settled])
        failures: list[UnavailableError] = []
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._settings.concurrency, len(wanted))):
                group.create_task(self._deliver(waiting, failures))
        refusals = [self._settled[record.id] for record in wanted if self._settled.get(record.id)]
        self._forget()
        if failures:
            raise failures[0]
        if refusals:
            raise StorageError(refusals[0])

    async def close(self) -> None:
        await self._egress.close()

    def _wants(self, record: DecisionRecord) -> bool:
        action, tenants = record.action or "allow", self._settings.tenants
        return action in self._settings.on and (not tenants or record.tenant_id in tenants)

    async def _deliver(self, waiting: Iterator[DecisionRecord], failures: list[UnavailableError]) -> None:
        """Work off what waits; calls that are under way are not torn when one of them fails."""
        for record in waiting:
            if failures:
                return
            try:
                await self._call(record)
            except UnavailableError as exc:
                failures.append(exc)
            except StorageError as exc:
                self._settled[record.id] = str(exc)
            else:
                self._settled[record.id] = ""

    async def _call(self, record: DecisionRecord) -> None:
        self._pause.refuse_until_over()
        row = published_row(record)
        kind = "limit.warning" if warns_of_limit(record, self._told) else f"decision.{record.action or 'allow'}"
        event = {"type": kind, "timestamp": row["opened_at"], "data": row}
        body = json_line(event)
        timestamp = str(int(self._clock()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": _AGENT,
            "webhook-id": record.id,
            "webhook-timestamp": timestamp,
            "webhook-signature": self._signature(f"{record.id}.{timestamp}.".encode() + body),
        }
        self._pause.judge(await self._egress.post(body, headers))

    def _signature(self, content: bytes) -> str:
        digests = (hmac.digest(key, content, hashlib.sha256) for key in self._keys)
        return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)

    def _forget(self) -> None:
        while len(self._settled) > _REMEMBERED:
            self._settled.popitem(last=False)


def warns_of_limit(record: DecisionRecord, told: Collection[str]) -> bool:
    """Tell whether a decision, of which nothing else is `told`, notes that most of a limit is used."""
    return '"limit":{' in record.facts and (record.action in {"", "allow"} or record.action not in told)


def _build(settings: WebhookSettings, _surroundings: Surroundings) -> WebhookSink:
    return WebhookSink(settings)


SINK: Final[SinkFactory[WebhookSettings]] = SinkFactory("webhook", WebhookSettings, _build)
